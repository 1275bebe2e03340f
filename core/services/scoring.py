"""Scoring: images that wait go through the engine, and their cases take their place.

Nothing here depends on how it was called or on what was killed before: the rows say what waits, a
result and the place of its cases are written in one transaction, and only by the holder of the
image's lease. Pictures are stored before the rows that name them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from core.config import Settings
from core.errors import StoreError
from core.inference import Engine
from core.services.analyse import BATCH_SIZE, Failure, Outcome, Source, analyse_all
from core.services.installation import Installation, now
from core.services.new_analysis import store_analysis
from core.services.programs import lease_owner
from core.services.ranking import place_cases, rerank
from core.services.stored_pixels import PixelReader
from core.store import scoring
from core.store.scoring import ClaimedImage
from core.types import Scan

__all__ = ["rerank", "score_waiting"]

log = logging.getLogger(__name__)

# Signs of life a lease, so that one may come late.
_BEATS_PER_LEASE = 3
# Longer than any batch takes. A worker that hangs gives no more signs of life then.
_LONGEST_BATCH_SECONDS = 1800
_INTERNAL = (
    "The analysis failed {attempts} because of an error in the program, which its log describes. "
    "Please read the scan without it; you can also have it tried again."
)
_LOST = (
    "The stored file of this scan is missing or damaged. "
    "Please upload the scan again, and then have the analysis tried again."
)
_VANISHED = (
    "The analysis was broken off {attempts} while it looked at this scan. "
    "Please read the scan without it; you can also have it tried again."
)


def score_waiting(
    installation: Installation, engine: Engine, stop: threading.Event | None = None
) -> int:
    """Score images, the most urgent first, until none waits.

    Args:
        installation: where they wait.
        engine: what looks at them.
        stop: ends it after the images in hand.

    Returns:
        How many were taken, whatever came of them.

    Raises:
        StoreError: database or file store are in trouble. What was in hand waits again.
    """
    stop = stop or threading.Event()
    work = _Work(installation, engine, lease_owner(), stop, PixelReader(installation.files))
    _give_up_exhausted(installation)
    taken = 0
    while not stop.is_set() and (claimed := work.claim()):
        if len(claimed) == BATCH_SIZE:
            installation.queue.wake()  # There is more, perhaps, than one worker can do.
        with work.leased([image.id for image in claimed]):
            work.score(claimed)
        taken += len(claimed)
    return taken


class _FileLost(Exception):
    """The bytes of one image are not in the file store, unlike those of others."""


@dataclass(frozen=True, eq=False)
class _Work:
    """One worker's hands: what it claims it holds under its own name."""

    installation: Installation
    engine: Engine
    owner: str
    stop: threading.Event
    reader: PixelReader

    def claim(self) -> list[ClaimedImage]:
        settings = self.installation.settings
        at = now()
        with self.installation.database.transaction() as session:
            return scoring.claim(
                session,
                owner=self.owner,
                limit=BATCH_SIZE,
                attempts_allowed=settings.scoring_attempts,
                until=at + settings.lease_seconds,
                now=at,
            )

    @contextmanager
    def leased(self, image_ids: list[int]) -> Iterator[None]:
        """Give signs of life for images while the body works on them."""
        over = threading.Event()
        beats = threading.Thread(
            target=self._beat, args=(image_ids, over), name="lease", daemon=True
        )
        beats.start()
        try:
            yield
        finally:
            over.set()
            beats.join()

    def _beat(self, image_ids: list[int], over: threading.Event) -> None:
        lease = self.installation.settings.lease_seconds
        pause = lease / _BEATS_PER_LEASE
        for _ in range(max(_BEATS_PER_LEASE, int(_LONGEST_BATCH_SECONDS / pause))):
            if over.wait(pause):
                return
            try:
                with self.installation.database.transaction() as session:
                    scoring.extend(session, self.owner, image_ids, now() + lease)
            except Exception as error:  # the next sign may get through; if not, the lease runs out
                log.warning("The leases of %d images were not extended: %s", len(image_ids), error)

    def score(self, claimed: Sequence[ClaimedImage]) -> None:
        """Score images together; where that fails, those that are left one by one.

        Raises:
            StoreError: the database or the file store is in trouble, which is not the fault of
                the images: they go back, as if they had never been taken.
        """
        left = list(claimed)
        try:
            if len(left) > 1 and self._together(left):
                left = []
            while left and not self.stop.is_set():
                self._alone(left[0])
                left.pop(0)
        except StoreError:
            with suppress(StoreError):
                self._give_back(left)
            raise
        self._give_back(left)

    def _together(self, images: Sequence[ClaimedImage]) -> bool:
        """Score images and record them all at once; says whether that went well.

        A case of many slices is so ranked once for all of them.
        """
        try:
            self._settle(zip(images, self._outcomes(images), strict=True))
        except StoreError:
            raise
        except Exception:
            log.warning("A batch failed; %d images are tried alone.", len(images), exc_info=True)
            return False
        return True

    def _alone(self, image: ClaimedImage) -> None:
        try:
            self._settle(zip([image], self._outcomes([image]), strict=True))
        except StoreError:
            raise
        except Exception as error:
            self._put_off(image, error)

    def _outcomes(self, claimed: Sequence[ClaimedImage]) -> Iterator[Outcome]:
        sources = (Source(str(image.id), partial(self._scan, image)) for image in claimed)
        return analyse_all(self.engine, sources)

    def _scan(self, image: ClaimedImage) -> Scan:
        """The pixels of an image; frames of one file in a row open it once."""
        try:
            return self.reader.scan(image)
        except StoreError as error:
            raise _FileLost(str(error)) from error

    def _settle(self, outcomes: Iterable[tuple[ClaimedImage, Outcome]]) -> None:
        """Record what came of images, and put their cases where they belong."""
        found = []
        for image, outcome in outcomes:
            if isinstance(outcome, Failure):
                self._fail(image, outcome.error)
            else:
                found.append(
                    (image, store_analysis(self.installation.files, self.engine, image, outcome))
                )
        if not found:
            return
        done = []
        with self.installation.database.transaction() as session:
            # Images in the order of their numbers, then cases in theirs: so lock all transactions.
            for image, analysis in sorted(found, key=lambda pair: pair[0].id):
                if scoring.finish(session, image.id, self.owner, analysis, now()):
                    done.append(image.id)
                else:
                    log.warning("Image %d was taken over by another worker.", image.id)
            by = f"analysed by model {found[0][1].finding.model_version}"
            place_cases(
                session, self.installation.settings, done, now(), action="scan_scored",
                scan_text=f"One scan {by}", slice_text=f"Slices {by}",
            )  # fmt: skip

    def _put_off(self, image: ClaimedImage, error: Exception) -> None:
        """Have an image tried again later, as often as the settings allow."""
        settings = self.installation.settings
        log.error("Image %d failed at attempt %d.", image.id, image.attempts, exc_info=error)
        if image.attempts >= settings.scoring_attempts:
            reason = _LOST if isinstance(error, _FileLost) else _INTERNAL
            self._fail(image, reason.format(attempts=_times(image.attempts)))
            return
        with self.installation.database.transaction() as session:
            scoring.try_later(session, image.id, self.owner, now() + settings.lease_seconds)

    def _fail(self, image: ClaimedImage, reason: str) -> None:
        with self.installation.database.transaction() as session:
            if scoring.fail(session, image.id, self.owner, reason):
                _tell_failure(session, self.installation.settings, image.id, reason)

    def _give_back(self, rest: Sequence[ClaimedImage]) -> None:
        if not rest:
            return
        with self.installation.database.transaction() as session:
            scoring.give_back(session, [image.id for image in rest], self.owner)


def _give_up_exhausted(installation: Installation) -> None:
    """Fail images at which workers vanished as often as an image is tried."""
    allowed = installation.settings.scoring_attempts
    with installation.database.reading() as session:
        exhausted = scoring.exhausted(session, attempts_allowed=allowed, now=now())
    reason = _VANISHED.format(attempts=_times(allowed))
    for image_id in exhausted:
        try:
            with installation.database.transaction() as session:
                if scoring.fail_exhausted(
                    session, image_id, attempts_allowed=allowed, reason=reason, now=now()
                ):
                    log.error("Image %d brought down its worker %s.", image_id, _times(allowed))
                    _tell_failure(session, installation.settings, image_id, reason)
        except Exception:  # one case that cannot be changed must not hold up the others
            log.exception("Image %d could not be given up.", image_id)


def _tell_failure(session: Session, settings: Settings, image_id: int, reason: str) -> None:
    place_cases(
        session, settings, [image_id], now(), action="scan_failed",
        scan_text=f"One scan not analysed: {reason}",
        slice_text=f"Slices not analysed ({reason.rstrip('.')})",
    )  # fmt: skip


def _times(attempts: int) -> str:
    return "once" if attempts == 1 else f"{attempts} times"
