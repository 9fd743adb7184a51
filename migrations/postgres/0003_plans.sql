-- Tasks that carry out the plan of a dry run, PostgreSQL.

-- The dry run; no foreign key, as it may be deleted once the task that carries it out has ended.
ALTER TABLE tasks ADD COLUMN plan uuid;

CREATE INDEX tasks_by_plan ON tasks (plan) WHERE plan IS NOT NULL;
