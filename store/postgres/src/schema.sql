-- The event log in one schema of a PostgreSQL database. Made once, in one transaction.
--
-- `events` has the columns of the common cqrs-es tables under their names, and more. Words in braces are filled in by the
-- program: {schema} is the quoted name of the schema, {events} the name of the table in it as a text, {channel} the name on
-- which new positions are announced. What runs with the owner's rights names everything in full: in a search path, whoever
-- may create things in a schema could put his own before ours.

CREATE TABLE log_meta (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- One row. Whoever appends locks it first, so that positions are given one after the other, without gaps, in the order
-- in which they become visible.
CREATE TABLE log_head (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position       bigint NOT NULL,
    recorded_at_us bigint NOT NULL -- microseconds since 1970, of the newest event
) WITH (fillfactor = 10);

INSERT INTO log_head (position, recorded_at_us) VALUES (0, -9223372036854775808);

CREATE TABLE events (
    position       bigint      PRIMARY KEY,
    tenant_id      bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    event_id       uuid        NOT NULL,
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    payload        json        NOT NULL, -- not jsonb: its bytes are what is proved
    metadata       json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    leaf           bytea       NOT NULL, -- RFC 6962 leaf hash of the canonical record
    append_events  integer,              -- on the last event of an append: how many events it has
    command_id     uuid,                 -- on the last event of an append: its command
    tx             xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT events_event_id UNIQUE (event_id),
    CONSTRAINT events_stream UNIQUE (aggregate_type, aggregate_id, tenant_id, sequence)
);

CREATE INDEX events_command ON events (command_id) WHERE append_events IS NOT NULL;
CREATE INDEX events_type ON events (event_type, position);

CREATE TABLE blobs (
    hash    bytea  PRIMARY KEY, -- BLAKE3 of the content
    content bytea  NOT NULL
);
ALTER TABLE blobs ALTER COLUMN content SET STORAGE EXTERNAL;

-- Positions that processes remember, such as how far executions have ended. Losing one costs time and nothing else.
CREATE TABLE marks (
    name     text   PRIMARY KEY,
    position bigint NOT NULL,
    note     text   -- what is remembered beside it
);

-- Folded states of long streams: a cache. A crash of the server empties it, and anybody may.
CREATE UNLOGGED TABLE snapshot_cache (
    saved          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    tenant_id      bigint NOT NULL,
    sequence       bigint NOT NULL,
    position       bigint NOT NULL,
    event_id       uuid   NOT NULL,
    fold_hash      bytea  NOT NULL,
    state          bytea  NOT NULL,
    checksum       bytea  NOT NULL
);
CREATE INDEX snapshot_cache_stream ON snapshot_cache (aggregate_type, aggregate_id, tenant_id, saved);

-- Categories to which a role of the database may append by itself, and for which tenant it then does.
CREATE TABLE external_categories (
    category  text   NOT NULL,
    role      name   NOT NULL,
    tenant_id bigint NOT NULL,
    PRIMARY KEY (category, role)
);

CREATE FUNCTION log_only_grows() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log only ever grows' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER events_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();
CREATE TRIGGER head_is_kept BEFORE DELETE OR TRUNCATE ON log_head
    FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows();

-- A text as the canonical record has it: its length in bytes as four bytes, then the bytes.
CREATE FUNCTION log_record_text(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT int4send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8')
$$;

{external}
CREATE TRIGGER events_take_external BEFORE INSERT ON events
    FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION events_take_external();

-- Roles that were let in read the events of their tenants and no others.
CREATE FUNCTION log_tenants_of_role() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT tenant_id FROM {schema}.external_categories WHERE role = session_user
$$;

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY external_reads ON events FOR SELECT USING (tenant_id IN (SELECT log_tenants_of_role()));
CREATE POLICY external_appends ON events FOR INSERT WITH CHECK (tenant_id IN (SELECT log_tenants_of_role()));

REVOKE ALL ON log_meta, log_head, events, blobs, marks, snapshot_cache, external_categories FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION log_tenants_of_role(), events_take_external(), log_only_grows(), log_record_text(text)
    FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON events FROM CURRENT_USER;
