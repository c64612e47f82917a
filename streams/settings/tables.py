"""All settings in one class, which `load_settings` fills from a file, the environment and flags."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import NoDecode

from streams.core.ingest.consent import MEASURING
from streams.core.ingest.door import AUTO
from streams.settings.durations import MINUTES
from streams.settings.fields import Duration, DurationOrZero, EventPaths, TextList
from streams.settings.fold import DimensionSettings, FoldSettings, PatienceSettings
from streams.settings.host import AnnounceSettings, DashboardSettings, WebSettings
from streams.settings.identity import IdentitySettings
from streams.settings.inputs import (
    ConsentCategories,
    FormatOfAll,
    InputSettings,
    PlaceholderWords,
    RobotTexts,
    ShippedWords,
    Zone,
)
from streams.settings.kafka import KafkaSettings
from streams.settings.registry import RegistrySettings
from streams.topology import MAX_PARTITIONS

MAX_BATCH_EVENTS = 50_000  # a batch is in memory with all its effects, about 1 kB per event


class Settings(FoldSettings):
    """All settings. `fold` is the part that a data directory keeps."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the input may hold a password

    data_dir: Path = Field(Path("data"), description="The directory of the embedded log and its state.")
    rules: Path | None = Field(
        None, description="A rules file of your own (TOML). Its rules are tried before the shipped ones."
    )
    partitions: int | None = Field(
        None,
        ge=1,
        le=MAX_PARTITIONS,
        description=(
            "The number of partitions of a new data directory, 1 to 1024. Without it a new directory gets 1, "
            "and an older one keeps its number."
        ),
    )
    batch: int = Field(
        20_000,
        ge=1,
        le=MAX_BATCH_EVENTS,
        description="The most events that are committed at once, 1 to 50000.",
    )
    skew: DurationOrZero = Field(
        10 * MINUTES,
        description=(
            "An event may be dated this far ahead of its own arrival. One that is further ahead is rejected "
            "(`from_the_future`)."
        ),
    )
    idle_after: Duration = Field(
        1 * MINUTES,
        description="A partition without new events for this long lets the wall clock move its timers.",
    )
    exclude_after: Duration = Field(
        10 * MINUTES,
        description=(
            "A partition that forwards events and has reported nothing for this long is excluded: the others "
            "go on without it."
        ),
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="How the program writes its own log: `console` or `json`."
    )
    format: FormatOfAll = Field(
        AUTO,
        description=(
            "The format of the records of all inputs: `auto`, where each record shows its own, or the name "
            "of one that docs/input.md lists."
        ),
    )
    zone: Zone | None = Field(
        None,
        description=(
            "The IANA time zone of times without an offset, such as `Europe/Rome`, where the event names "
            "none. Without it they are UTC."
        ),
    )
    inputs: dict[str, InputSettings] = Field(
        {}, description="How the records of single topics are read, where that differs."
    )
    placeholders: PlaceholderWords = Field(
        (),
        description="Words that stand for no id, beside the [shipped ones](input.md#placeholders).",
    )
    not_placeholders: ShippedWords = Field(
        (), description="Shipped words that are ids here, for example `guest`."
    )
    count_robots: bool = Field(
        False,
        description=(
            "Whether what robots do counts as what people do. Otherwise it is "
            "[counted apart](input.md#robots), and opens no journey."
        ),
    )
    robots: RobotTexts = Field(
        (), description="Texts in a user agent that show a robot, beside the list. Case does not matter."
    )
    not_robots: RobotTexts = Field(
        (), description="Texts in a user agent that show no robot, whatever the list says."
    )
    consent: EventPaths = Field(
        (),
        description=(
            "Paths where an event says whether its person agrees to be measured, beside "
            "[those of the tools](input.md#consent)."
        ),
    )
    consent_categories: ConsentCategories = Field(
        MEASURING,
        description=(
            "The categories of consent that a person has to agree to, as the consent tool calls them. Case "
            "and punctuation do not matter."
        ),
    )
    agents: Annotated[tuple[str, ...], NoDecode, TextList] = Field(
        (),
        description=(
            "Your own Faust agents, which run in the workers: Python files (`my_agents.py`) or modules "
            "(`shop.agents`)."
        ),
    )
    kafka: KafkaSettings = Field(KafkaSettings(), description="The Kafka cluster.")
    registry: RegistrySettings = Field(
        RegistrySettings(), description="The schema registry of Avro and Protobuf records."
    )
    web: WebSettings = Field(WebSettings(), description="Health and metrics.")
    dashboard: DashboardSettings = Field(DashboardSettings(), description="The live page and its API.")
    announce: AnnounceSettings = Field(AnnounceSettings(), description="Posts about transitions.")

    @model_validator(mode="after")
    def _inputs_are_read(self) -> Self:
        topics = self.kafka.inputs
        for topic in self.inputs:
            if topics and topic not in topics:
                raise ValueError(
                    f"inputs.{topic}: no such topic is read; kafka.inputs has {', '.join(topics)}"
                )
        for name in ("placeholders", "robots"):
            words, others = getattr(self, name), getattr(self, f"not_{name}")
            if both := {word.strip().lower() for word in words} & {word.strip().lower() for word in others}:
                raise ValueError(f"{name} and not_{name} both have {min(both)!r}: leave it in one of them")
        return self

    @property
    def fold(self) -> FoldSettings:
        """The fold settings alone."""
        return FoldSettings.model_construct(
            **{name: getattr(self, name) for name in FoldSettings.model_fields}
        )


TABLES: Mapping[str | None, type[BaseModel]] = {
    None: Settings,
    "patience": PatienceSettings,
    "identity": IdentitySettings,
    "dimensions": DimensionSettings,
    "inputs": InputSettings,
    "kafka": KafkaSettings,
    "registry": RegistrySettings,
    "web": WebSettings,
    "dashboard": DashboardSettings,
    "announce": AnnounceSettings,
}
"""The class of each table, by its first key. None: the keys that are in no table."""
