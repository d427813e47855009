-- Every operation at the provider before it is sent, money that came after its payment had failed, and a sandbox that can
-- misbehave.
create table provider_calls (
    key text collate "C" primary key not null,
    kind text collate "C" not null check (kind in ('charge', 'refund', 'transfer', 'account')),
    subject_id uuid not null,
    order_id uuid references orders (id),
    params_hash bytea not null,
    begun_at timestamptz not null,
    first_sent_at timestamptz,
    last_sent_at timestamptz,
    tries bigint not null default 0,
    same_failures bigint not null default 0,
    absent_since timestamptz,
    last_answer text,
    state text collate "C" not null check (state in ('open', 'answered', 'needs_review'))
);
create index provider_calls_subject on provider_calls (subject_id);
create index cases_subject on cases (subject_id);

-- A failed payment whose charge succeeded all the same: it stays failed, and its money is booked and goes back.
alter table payments add column late_capture boolean not null default false;

-- The sandbox provider's own books.
alter table sandbox_refunds add column status text collate "C" not null default 'succeeded'
    check (status in ('succeeded', 'pending', 'failed'));
alter table sandbox_refunds add column settles_at timestamptz;
create table sandbox_chargebacks (
    id text collate "C" primary key not null,
    charge_id text collate "C" not null unique references sandbox_charges (id),
    amount_minor bigint not null,
    currency text collate "C" not null,
    status text collate "C" not null check (status in ('open', 'won', 'lost')),
    opened_at timestamptz not null,
    closed_at timestamptz
);
-- What goes wrong on the way to it, in percent. One row at most.
create table sandbox_knobs (
    one bigint primary key not null check (one = 1),
    seed bigint not null,
    delay_ms bigint not null,
    drop_before bigint not null,
    drop_after bigint not null,
    error_after bigint not null,
    duplicate bigint not null,
    reorder bigint not null,
    late bigint not null,
    never bigint not null,
    forge bigint not null
);

comment on table provider_calls is 'Operations at the payment provider, each written down before it was sent';
comment on column provider_calls.key is 'The idempotency key that the provider is given';
comment on column provider_calls.kind is 'charge, refund, transfer or account';
comment on column provider_calls.subject_id is 'The payment, refund, transfer or freelancer behind it';
comment on column provider_calls.order_id is 'The order behind it, where there is one';
comment on column provider_calls.params_hash is 'SHA-256 of what is asked for: under one key it is always the same';
comment on column provider_calls.begun_at is 'When it was written down';
comment on column provider_calls.first_sent_at is 'When it may first have left, null until then';
comment on column provider_calls.last_sent_at is 'When it may last have left';
comment on column provider_calls.tries is 'How often the provider was turned to since it last answered, to send or to look';
comment on column provider_calls.same_failures is 'Identical failures in a row';
comment on column provider_calls.absent_since is 'When, after it was last sent, the provider first had none of it';
comment on column provider_calls.last_answer is 'What the provider last said, or why it said nothing';
comment on column provider_calls.state is 'open until the provider has answered, then answered; needs_review when nobody could find out';
comment on column payments.late_capture is 'It failed, and its charge succeeded all the same: the money was booked and goes back';
comment on column sandbox_refunds.status is 'How it stands: succeeded, pending or failed';
comment on column sandbox_refunds.settles_at is 'When a pending one succeeds by itself';
comment on table sandbox_chargebacks is 'The sandbox provider''s own books: what buyers'' banks took back';
comment on column sandbox_chargebacks.id is 'The provider''s id of the chargeback';
comment on column sandbox_chargebacks.charge_id is 'The charge that it takes back';
comment on column sandbox_chargebacks.amount_minor is 'How much, in the smallest unit of the currency';
comment on column sandbox_chargebacks.currency is 'ISO 4217 code';
comment on column sandbox_chargebacks.status is 'How it stands: open, won or lost';
comment on column sandbox_chargebacks.opened_at is 'From when on it shows';
comment on column sandbox_chargebacks.closed_at is 'When the bank decided';
comment on table sandbox_knobs is 'What goes wrong on the way to the sandbox provider, in percent; one row at most';
comment on column sandbox_knobs.one is 'Always 1';
comment on column sandbox_knobs.seed is 'The same seed lets the same calls go wrong';
comment on column sandbox_knobs.delay_ms is 'How late every answer is';
comment on column sandbox_knobs.drop_before is 'Calls that it never hears of';
comment on column sandbox_knobs.drop_after is 'Calls whose answer is lost';
comment on column sandbox_knobs.error_after is 'Calls that are carried out and answered with an error';
comment on column sandbox_knobs.duplicate is 'Notices that are sent twice';
comment on column sandbox_knobs.reorder is 'Notices that are overtaken by later ones';
comment on column sandbox_knobs.late is 'Notices that come late';
comment on column sandbox_knobs.never is 'Notices that never come';
comment on column sandbox_knobs.forge is 'Notices that are sent with a wrong signature as well';
