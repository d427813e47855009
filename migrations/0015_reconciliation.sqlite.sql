-- Runs of the comparison with the payment provider's records.
create table reconciliations (
    id blob primary key not null,
    window_from integer not null,
    window_to integer not null,
    started_at integer not null,
    finished_at integer,                    -- null while it runs, and when it was cut off
    differences integer not null,
    report text,
    check (window_from < window_to)
) strict;
