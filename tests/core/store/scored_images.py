"""Images that wait for the model, as its workers claim and finish them."""

from sqlalchemy import select

from core.services.installation import Installation
from core.store import images, scoring
from core.store.tables import AnalysisRow, ImageRow

START = 1_000_000.0
ATTEMPTS = 3


class Store:
    """The functions of the module, each in a transaction of its own, on one installation."""

    def __init__(self, installation: Installation) -> None:
        self.database = installation.database

    def add(self, count: int = 1, rank: float = 0.0, now: float = START) -> list[int]:
        with self.database.transaction() as session:
            known = len(session.scalars(select(ImageRow.id)).all())
            return [
                images.find_or_create_images(
                    session, content_key=f"{known + n:064d}", source_format="PNG", height=20,
                    width=10, spacing=(0.5, 0.25), queue_rank=rank, now=now,
                )[0][0]
                for n in range(count)
            ]  # fmt: skip

    def claim(self, owner="worker", limit=8, now=START, lease=60.0, allowed=ATTEMPTS):
        with self.database.transaction() as session:
            return scoring.claim(
                session, owner=owner, limit=limit, attempts_allowed=allowed,
                until=now + lease, now=now,
            )  # fmt: skip

    def claimed_ids(self, **options) -> list[int]:
        return [image.id for image in self.claim(**options)]

    def row(self, image_id: int) -> ImageRow:
        with self.database.reading() as session:
            return session.get_one(ImageRow, image_id)

    def analyses(self) -> list[AnalysisRow]:
        with self.database.reading() as session:
            return list(session.scalars(select(AnalysisRow)))

    def __getattr__(self, name: str):
        """Any other function: ``store.finish(...)`` runs it in a transaction."""

        def run(*arguments, **options):
            with self.database.transaction() as session:
                return getattr(scoring, name)(session, *arguments, **options)

        return run
