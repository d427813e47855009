-- Runs of the comparison with the payment provider's records.
create table reconciliations (
    id uuid primary key not null,
    window_from timestamptz not null,
    window_to timestamptz not null,
    started_at timestamptz not null,
    finished_at timestamptz,                -- null while it runs, and when it was cut off
    differences bigint not null,
    report jsonb,
    check (window_from < window_to)
);

comment on table reconciliations is 'Runs of the comparison with the payment provider''s records';
comment on column reconciliations.id is 'UUIDv7: begins with the time the run began';
comment on column reconciliations.window_from is 'It compared what happened from this moment on';
comment on column reconciliations.window_to is 'and before this one';
comment on column reconciliations.started_at is 'When it began';
comment on column reconciliations.finished_at is 'When it had compared everything; null while it runs, and when it was cut off';
comment on column reconciliations.differences is 'How many differences it found';
comment on column reconciliations.report is 'Totals, balances and differences, as JSON';
