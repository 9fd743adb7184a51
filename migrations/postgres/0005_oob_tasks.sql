-- What a task of an action with parameters is to do, PostgreSQL.

-- JSON; NULL for an action that takes none.
ALTER TABLE tasks ADD COLUMN parameters text;
