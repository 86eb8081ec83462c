-- Keys of subjects, wrapped. They are no part of the log: rows go when somebody is erased. One statement: it is made as a whole,
-- or not at all.

DO $$
BEGIN
    IF to_regclass('subject_keys') IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE TABLE subject_keys (
        id        uuid   PRIMARY KEY,
        made      bigint NOT NULL, -- the newest of a subject seals
        tenant_id bigint NOT NULL,
        found_by  text   NOT NULL,
        name      text   NOT NULL, -- sealed under the key itself
        master    text   NOT NULL, -- fingerprint of the master key
        sealed    text   NOT NULL  -- the key, wrapped under it
    );
    CREATE INDEX subject_keys_found_by ON subject_keys (tenant_id, found_by, made);
    -- One row: by what keys are found, wrapped.
    CREATE TABLE subject_key_finder (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        master   text    NOT NULL,
        sealed   text    NOT NULL
    );
    CREATE TABLE destroyed_subject_keys (
        id uuid PRIMARY KEY
    );
END $$;
