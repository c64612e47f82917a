"""Every error that a person is meant to read, with the exit code of the command that ends by it.

    StreamsError       1
      ConfigError      2   a setting, a rules file or a command is wrong
      InputError       2   a file or a log to read is missing, or is not what the command takes it for
      Incompatible     3   the data has other fold settings, another number of partitions or an older format
      Fenced           4   another process has taken over this partition or data directory
      Unavailable      5   the log cannot be read or written now
      Refused          6   the cluster refuses, and will refuse again

Anything else that is raised is a defect of this program. Bad records are values
(`streams.core.ingest.event.Rejection`), never exceptions.
"""


class StreamsError(Exception):
    """An error whose message is written for the person who runs the command."""

    exit_code = 1


class ConfigError(StreamsError):
    """A setting, a rules file or a command is wrong.

    The message names the key, the value and what would be right.
    """

    exit_code = 2


class InputError(StreamsError):
    """A file or a log to read is missing, or is not what the command takes it for."""

    exit_code = 2


class Incompatible(StreamsError):
    """The stored data belongs to other fold settings, another number of partitions or an older format.

    The message says how to go on.
    """

    exit_code = 3


class Fenced(StreamsError):
    """Another process took over. Nothing of the open batch was written; this process stops or starts over."""

    exit_code = 4


class Unavailable(StreamsError):
    """The log cannot be read or written now: a full disk, an I/O error, a lock held for too long, no broker.

    What is committed stays. Opening the log again may help.
    """

    exit_code = 5


class Refused(StreamsError):
    """The cluster refuses, and will refuse again: a wrong password, a missing right, a record too large.

    Trying again cannot help, so a worker ends with this error. The message says what to change, and where.
    """

    exit_code = 6
