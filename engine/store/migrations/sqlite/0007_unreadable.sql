-- When the recipient's device said that it cannot read the message. WhatsApp's
-- server is told at once that this was heard, so it is kept until the message
-- has arrived.
ALTER TABLE jobs ADD COLUMN unreadable_ms INTEGER;
CREATE INDEX jobs_unreadable ON jobs (unreadable_ms) WHERE unreadable_ms IS NOT NULL;
