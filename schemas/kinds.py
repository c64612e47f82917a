"""The closed vocabularies of the contract."""

from typing import Literal

Moment = Literal["know", "go", "do", "buy", "truth"]
Kind = Literal["opened", "advanced", "returned", "stalled", "resumed", "converted", "abandoned", "refunded"]
Outcome = Literal["converted", "abandoned", "refunded"]
Op = Literal["assert", "retract"]
