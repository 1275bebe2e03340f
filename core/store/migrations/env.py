"""Alembic's way in: runs the steps on the connection that ``core.store.schema`` hands over.

A new step is a module in ``versions/`` that names the step before it. It is finished when
``tests/core/store/test_schema.py`` finds no difference between the migrated tables and those of
``core/store/tables.py``.
"""

from __future__ import annotations

from alembic import context

from core.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
