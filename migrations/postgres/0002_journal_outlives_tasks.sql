-- The journal stays when tasks are deleted, and is read by node.

ALTER TABLE journal DROP CONSTRAINT journal_task_fkey;
ALTER TABLE journal DROP CONSTRAINT journal_step_fkey;

CREATE INDEX journal_of_node ON journal (node, seq) WHERE node IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (updated) WHERE status IN ('complete', 'terminated');
CREATE INDEX tasks_by_digest ON tasks (digest) WHERE digest IS NOT NULL;
CREATE INDEX boot_contexts_of_task ON boot_contexts (task);
