"""What a site says of its updates: when they may be applied, who approves, after which backup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_MINUTES_A_DAY: Final = 24 * 60
_AHEAD: Final = timedelta(days=15)
"""How far the next opening is looked for: a change of the clock may swallow a weekly one."""


def _as_clock(value: Any) -> Any:
    # YAML 1.1 reads 22:00 as a number of minutes.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MINUTES_A_DAY:
        return f"{value // 60:02}:{value % 60:02}"
    return value


Clock = Annotated[str, BeforeValidator(_as_clock)]
"""HH:MM of the zone's clock, at most 24:00."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, populate_by_name=True)


class Window(_Part):
    """From when to when updates may begin, on some days; past midnight where `to` is before."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    """The days on which it opens."""
    begins: Clock = Field(alias="from")
    ends: Clock = Field(alias="to")

    @field_validator("begins", "ends")
    @classmethod
    def _is_clock(cls, value: str) -> str:
        if not _CLOCK.fullmatch(value):
            raise ValueError(f'"{value}" is no time of day; write it as HH:MM, in quotes')
        return value

    @model_validator(mode="after")
    def _opens(self) -> Window:
        if self.begins in (self.ends, "24:00"):
            raise ValueError(
                f"a window from {self.begins} to {self.ends} never opens; a whole day is from "
                "00:00 to 24:00"
            )
        return self

    def holds(self, day: int, minute: int) -> bool:
        """Whether it is open at a minute of a weekday (0 is Monday), by the clock on the wall."""
        begins, ends = _minutes(self.begins), _minutes(self.ends)
        if begins < ends:
            return _DAYS[day] in self.days and begins <= minute < ends
        if minute >= begins:
            return _DAYS[day] in self.days
        return minute < ends and _DAYS[day - 1] in self.days


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


class Updates(_Part):
    """How a site is updated."""

    zone: str = "UTC"
    """The time zone of the windows, as Africa/Nairobi; its changes of the clock are heeded."""
    windows: Annotated[tuple[Window, ...], Field(max_length=50)] = ()
    """Without any, an update may begin at any time."""
    approvals: Annotated[int, Field(ge=0, le=20)] = 0
    """How many of the approvers must approve a plan before it is carried through."""
    approvers: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Who may approve, by name."""
    backup_within_hours: Annotated[float, Field(gt=0, le=24 * 365)] | None = None
    """A backup must have been verified within so many hours; without, none is asked for."""

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f'"{value}" is no time zone; write it as Africa/Nairobi') from error
        return value

    @model_validator(mode="after")
    def _can_be_approved(self) -> Updates:
        names = {folded(name) for name in self.approvers}
        if len(names) != len(self.approvers) or "" in names:
            raise ValueError("an approver has no name, or stands there twice")
        if self.approvals > len(names):
            raise ValueError(
                f"{self.approvals} approvals are asked for and {len(names)} approvers are named, "
                "so no update could ever be approved"
            )
        return self

    def open_at(self, moment: datetime) -> bool:
        """Whether an update may begin at a moment (aware).

        By what the clock on the wall shows: an hour that it skips opens nothing, one that it
        shows twice is open twice.
        """
        if not self.windows:
            return True
        local = moment.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        return any(one.holds(local.weekday(), minute) for one in self.windows)

    def next_opening(self, moment: datetime) -> datetime | None:
        """When it is open next, in the zone's time: a moment of now where it is; None for never."""
        if self.open_at(moment):
            return moment.astimezone(ZoneInfo(self.zone))
        return next((one for one in self._minutes_from(moment) if self.open_at(one)), None)

    def closing(self, moment: datetime) -> datetime | None:
        """When the window of a moment ends; None where it is open for as long as is looked."""
        return next((one for one in self._minutes_from(moment) if not self.open_at(one)), None)

    def _minutes_from(self, moment: datetime) -> Iterator[datetime]:
        # In UTC, where every minute is there once.
        at = moment.astimezone(UTC).replace(second=0, microsecond=0)
        for _ in range(int(_AHEAD / timedelta(minutes=1))):
            at += timedelta(minutes=1)
            yield at.astimezone(ZoneInfo(self.zone))


def folded(name: str) -> str:
    """A person's name as two spellings of it are compared."""
    return " ".join(name.split()).casefold()
