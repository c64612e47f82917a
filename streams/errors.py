"""Every error that a person is meant to read.

    StreamsError                 exit code 1
      ConfigError                2: a setting, a rules file or a command is wrong: names the key, the value and what would be right
      InputError                 2: a file to read is missing, or is not what the command says it is
      Incompatible               3: the data belongs to other fold settings, partitions or an older format: says how to go on
      Fenced                     4: another process has taken over this partition or data directory
      Unavailable                5: the log cannot be read or written now: disk full, an I/O error, locked for too long, damaged, no broker answers
      Refused                    6: the cluster will not have it, now or later: a wrong password, a right that is missing, a record too large

Anything else that is raised is a defect of this program. Bad records are values (`streams.core.ingest.Rejection`), never exceptions.
"""


class StreamsError(Exception):
    """An error whose message is written for the person who runs the command."""

    exit_code = 1


class ConfigError(StreamsError):
    """A setting or a rules file is wrong. The message names the key, the value and what would be right."""

    exit_code = 2


class InputError(StreamsError):
    """A file that was to be read is missing or is not what the command says it is."""

    exit_code = 2


class Incompatible(StreamsError):
    """What is stored was written under other fold settings, another partition count or an older format."""

    exit_code = 3


class Fenced(StreamsError):
    """Another process took over. Nothing of the open batch was written; this one must stop or start over."""

    exit_code = 4


class Unavailable(StreamsError):
    """The log cannot be read or written now: disk full, an I/O error, locked for too long, damaged. What is committed stays; open it again."""

    exit_code = 5


class Refused(StreamsError):
    """The cluster says no, and will say so again: a wrong password, a right that is missing, a record larger than its topic takes.

    Trying again helps nobody: a worker ends with it. The message says what to change, and where.
    """

    exit_code = 6
