-- The tree over the log's leaves, and the checkpoints that were signed. One statement: it is made as a whole, or not at all.

DO $$
BEGIN
    IF to_regclass('log_tree_tiles') IS NOT NULL THEN
        RETURN;
    END IF;
    -- One row. Whoever lets the tree grow locks it first.
    CREATE TABLE log_tree (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        size     bigint  NOT NULL -- how many leaves it has
    );
    INSERT INTO log_tree (size) VALUES (0);
    -- Hashes of nodes of the levels 0, 8, 16 and so on, 256 in a row. They can be made again from the log.
    CREATE TABLE log_tree_tiles (
        level  smallint NOT NULL, -- 0 for leaves, 1 for the roots of 256 of them, and so on
        tile   bigint   NOT NULL,
        hashes bytea    NOT NULL,
        PRIMARY KEY (level, tile)
    );
    CREATE TABLE log_checkpoints (
        size bigint PRIMARY KEY,
        note text   NOT NULL -- a signed note
    );
END $$;
