"""An installation on each kind of back end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.services.installation import Installation
from tests import servers
from tests.installations import make_installation


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Address of a server, to which a database's name is to be added."""
    with servers.postgresql() as address:
        yield address


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with servers.redis() as address:
        yield address


@pytest.fixture
def server_settings(postgresql_server: str, redis_server: str) -> dict[str, str]:
    """Settings of an installation on both servers, with nothing in them yet."""
    import redis

    with redis.Redis.from_url(redis_server) as connection:
        connection.flushall()
    return {
        "database_url": servers.new_database(postgresql_server),
        "queue_url": redis_server,
    }


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def back_end(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings that choose the back end: SQLite alone, or PostgreSQL and Redis."""
    return {} if request.param == "sqlite" else request.getfixturevalue("server_settings")


@pytest.fixture
def installation(back_end: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    found = make_installation(tmp_path, **back_end)
    yield found
    found.database.close()
