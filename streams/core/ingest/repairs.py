"""The kinds of repair: what was wrong in a record that was read all the same.

A record is refused only where its person, its time or its name cannot be had. Whatever else is wrong in it is
repaired, and each kind of repair is counted.
"""

from streams.core.ingest.described_code import DescribedCode


class Repair(DescribedCode):
    """What was repaired in an event. The list is closed, so that metrics can count by it."""

    ENCODING = "encoding", "bytes that are not UTF-8, or half a character: read as U+FFFD"
    NUMBER = "number", "NaN or Infinity, which JSON does not have: read as null"
    EMPTY_LIST = "empty_list", "`[]` where an object belongs: read as `{}`"
    FIELD = "field", "a field that holds something else than it should, and is not needed: left out"
    TYPE = "type", "`type` in other case, with blanks, or missing beside the name of an event"
    ID = "id", "an id that cannot be used, beside one that can; or a number with a fraction of zero"
    PLACEHOLDER = "placeholder", "a word that stands for no id, such as `undefined`: read as no id"
    TIME_FORM = "time_form", "a time in another form than RFC 3339 that can be read in one way only"
    TIME = "time", "a time that cannot be read, beside another one of the event that can"
    CLOCK = "clock", "a time later than that of the sending or of the arrival: dated by that"
