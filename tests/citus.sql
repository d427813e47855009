-- Stand-ins for what deploy/citus calls of Citus. They spread nothing: they look whether Citus would refuse, by its rules as
-- documented and as its sources state them, and say so in its words. tests/citus puts them into a schema of their own
-- behind `public` on the search path.
--
-- Not looked at: statements (tests/it/shards does that), isolation over several servers, two-phase commits, speed.

create schema rehearsal;
set search_path = rehearsal, public;

-- As much of Citus' table of tables as the scripts ask for. kind: d spread, r on every server, l on the coordinator.
create table pg_dist_partition (
    logicalrelid regclass primary key,
    kind "char" not null,
    distribution_column name,
    colocationid bigint
);
create sequence colocation;

create function refuse(message text, detail text) returns void language plpgsql as $$
begin
    raise exception using message = message, detail = detail, errcode = 'feature_not_supported';
end $$;

-- Tables of which Citus knows, and those that it does not, as it sees them.
create function kind_of(relation oid) returns "char" language sql stable as $$
    select coalesce((select kind from rehearsal.pg_dist_partition where logicalrelid = relation), '-')
$$;

create function column_number(relation oid, wanted name) returns smallint language sql stable as $$
    select attnum from pg_attribute where attrelid = relation and attname = wanted and not attisdropped
$$;

-- Every unique index holds the column that the table is spread by; nothing excludes by anything else.
create function check_unique(spread rehearsal.pg_dist_partition) returns void language plpgsql as $$
declare
    index regclass;
begin
    select indexrelid into index from pg_index
    where indrelid = spread.logicalrelid and (indisunique or indisexclusion)
        and not rehearsal.column_number(indrelid, spread.distribution_column) = any (indkey::smallint[]);
    if index is not null then
        perform rehearsal.refuse(format('cannot create constraint on "%s"', spread.logicalrelid),
            format('Distributed relations cannot have UNIQUE, EXCLUDE, or PRIMARY KEY constraints that do not include the '
                'partition column (with an equality operator if EXCLUDE): %s', index));
    end if;
end $$;

-- The column at the same place on both sides of the key.
create function on_both_homes(key pg_constraint) returns boolean language sql stable as $$
    select exists (
        select from unnest(key.conkey, key.confkey) as pair (referencing, referenced)
        join rehearsal.pg_dist_partition a on a.logicalrelid = key.conrelid
        join rehearsal.pg_dist_partition b on b.logicalrelid = key.confrelid
        where referencing = rehearsal.column_number(key.conrelid, a.distribution_column)
            and referenced = rehearsal.column_number(key.confrelid, b.distribution_column))
$$;

create function group_of(relation oid) returns bigint language sql stable as $$
    select colocationid from rehearsal.pg_dist_partition where logicalrelid = relation
$$;

-- Foreign keys: from anything to what every server has; between spread tables of a group on their homes; between tables of
-- the coordinator. Nothing refers to a spread table from elsewhere.
create function check_foreign_key(key pg_constraint) returns void language plpgsql as $$
declare
    referencing "char" := rehearsal.kind_of(key.conrelid);
    referenced "char" := rehearsal.kind_of(key.confrelid);
    named text := format('%s on %s', key.conname, key.conrelid::regclass);
begin
    if referencing = '-' and referenced = '-' or referenced = 'r' and referencing <> '-' then
        return;
    elsif referencing = 'r' then
        perform rehearsal.refuse('cannot create foreign key constraint since foreign keys from reference tables to '
            'distributed tables are not supported', named);
    elsif referencing in ('l', '-') and referenced in ('l', 'r') then
        if referencing = '-' or referenced = '-' then
            perform rehearsal.refuse('cannot create foreign key constraint', named || ': a table that Citus does not know of');
        end if;
    elsif referencing <> 'd' or referenced <> 'd' then
        perform rehearsal.refuse('cannot create foreign key constraint',
            named || ': Referenced table must be a distributed table or a reference table.');
    elsif rehearsal.group_of(key.conrelid) <> rehearsal.group_of(key.confrelid) then
        perform rehearsal.refuse('cannot create foreign key constraint since relations are not colocated or not referencing '
            'a reference table', named);
    elsif not rehearsal.on_both_homes(key) then
        perform rehearsal.refuse('cannot create foreign key constraint',
            named || ': Foreign keys are supported in two cases, either in between two colocated tables including partition '
            'column in the same ordinal in the both tables or from distributed to reference tables');
    end if;
    if referencing = 'd' and (key.confdeltype in ('n', 'd') or key.confupdtype in ('n', 'd', 'c'))
        and rehearsal.column_number(key.conrelid,
            (select distribution_column from rehearsal.pg_dist_partition where logicalrelid = key.conrelid)) = any (key.conkey)
    then
        perform rehearsal.refuse('cannot create foreign key constraint',
            named || ': SET NULL, SET DEFAULT or CASCADE is not supported when distribution key is included');
    end if;
end $$;

create function check_everything() returns void language plpgsql as $$
declare
    spread rehearsal.pg_dist_partition;
    key pg_constraint;
begin
    for spread in select * from rehearsal.pg_dist_partition where kind = 'd' loop
        perform rehearsal.check_unique(spread);
        if exists (select from pg_trigger where tgrelid = spread.logicalrelid and not tgisinternal) then
            perform rehearsal.refuse(format('triggers are not supported on %s', spread.logicalrelid), '');
        end if;
    end loop;
    for key in select * from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace loop
        perform rehearsal.check_foreign_key(key);
    end loop;
end $$;

create function add_table(relation regclass, kind "char", distribution_column name, colocationid bigint) returns void
language plpgsql as $$
begin
    if rehearsal.kind_of(relation) <> '-' then
        perform rehearsal.refuse(format('table "%s" is already distributed', relation), '');
    end if;
    insert into rehearsal.pg_dist_partition values (relation, kind, distribution_column, colocationid);
    perform rehearsal.check_everything();
end $$;

create function create_reference_table(table_name regclass) returns void language sql as $$
    select rehearsal.add_table(table_name, 'r', null, null)
$$;

create function citus_add_local_table_to_metadata(table_name regclass, cascade_via_foreign_keys boolean default false)
returns void language plpgsql as $$
begin
    if exists (select from pg_constraint where contype = 'f' and table_name in (conrelid, confrelid)) then
        perform rehearsal.refuse(format('relation %s is involved in a foreign key relationship with another table', table_name),
            'Use cascade_via_foreign_keys.');
    end if;
    perform rehearsal.add_table(table_name, 'l', null, null);
end $$;

-- The group of a table that is named; both are spread by the same type.
create function colocation_with(other text, type oid) returns bigint language plpgsql as $$
declare
    found rehearsal.pg_dist_partition;
begin
    if other = 'none' then
        return nextval('rehearsal.colocation');
    end if;
    select * into found from rehearsal.pg_dist_partition where logicalrelid = other::regclass and kind = 'd';
    if found is null then
        perform rehearsal.refuse(format('relation %s is not distributed', other), '');
    end if;
    if type <> (select atttypid from pg_attribute
                where attrelid = found.logicalrelid and attname = found.distribution_column) then
        perform rehearsal.refuse('cannot colocate tables', format('Distribution column types don''t match for %s', other));
    end if;
    return found.colocationid;
end $$;

create function create_distributed_table(table_name regclass, distribution_column name, distribution_type text default 'hash',
    colocate_with text default 'default') returns void language plpgsql as $$
declare
    home pg_attribute;
    homeless bigint;
begin
    select * into home from pg_attribute where attrelid = table_name and attname = distribution_column and not attisdropped;
    if home is null then
        perform rehearsal.refuse(format('column "%s" of relation "%s" does not exist', distribution_column, table_name), '');
    end if;
    if home.attgenerated <> '' then
        perform rehearsal.refuse('cannot distribute relation', 'Distribution column must not use GENERATED ALWAYS AS.');
    end if;
    if not exists (select from pg_opclass join pg_am a on a.oid = opcmethod
                   where a.amname = 'hash' and opcdefault and opcintype = home.atttypid) then
        perform rehearsal.refuse('cannot distribute relation', 'Distribution column has no hash function.');
    end if;
    execute format('select count(*) from %s where %I is null', table_name, distribution_column) into homeless;
    if homeless > 0 then
        perform rehearsal.refuse('the partition column of table cannot be NULL', format('%s rows of %s', homeless, table_name));
    end if;
    perform rehearsal.add_table(table_name, 'd', distribution_column,
        rehearsal.colocation_with(colocate_with, home.atttypid));
end $$;

-- Citus makes a new table, which has neither the comments nor the statistics targets of the old one.
create function forget(relation regclass) returns void language plpgsql as $$
declare
    of name;
begin
    execute format('comment on table %s is null', relation);
    for of in select attname from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped loop
        execute format('comment on column %s.%I is null', relation, of);
        execute format('alter table %s alter column %I set statistics -1', relation, of);
    end loop;
end $$;

create function undistribute_table(table_name regclass, cascade_via_foreign_keys boolean default false) returns void
language plpgsql as $$
begin
    if rehearsal.kind_of(table_name) = '-' then
        perform rehearsal.refuse('cannot undistribute table because the table is not distributed', table_name::text);
    end if;
    if exists (select from pg_constraint where contype = 'f' and table_name in (conrelid, confrelid)) then
        perform rehearsal.refuse(format('cannot complete operation because table %s has a foreign key', table_name), '');
    end if;
    delete from rehearsal.pg_dist_partition where logicalrelid = table_name;
    perform rehearsal.forget(table_name);
end $$;

-- What is altered afterwards is looked at too.
create function check_after() returns event_trigger language plpgsql as $$
begin
    perform rehearsal.check_everything();
end $$;
create event trigger rehearsal on ddl_command_end when tag in ('ALTER TABLE', 'CREATE INDEX', 'CREATE TABLE')
    execute function check_after();
