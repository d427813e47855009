-- Accounts, sessions, and what slows down guessing. A deleted account keeps its row with everything personal erased.
create table users (
    id uuid primary key not null,
    username text,
    username_folded text collate "C" unique,
    email text,
    email_folded text collate "C" unique,
    email_verified boolean not null default false,
    password_hash text,
    role text not null check (role in ('buyer', 'freelancer', 'both', 'admin')),
    status text not null default 'active' check (status in ('active', 'suspended', 'deleted')),
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check (status = 'deleted' or (username is not null and email is not null and password_hash is not null))
);

-- A session is one login: the family of its refresh tokens. Ending it deletes it and its tokens.
create table sessions (
    id uuid primary key not null,
    user_id uuid not null references users (id),
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index sessions_user_id on sessions (user_id);

-- Tokens are stored as SHA-256 of what the client holds.
create table access_tokens (
    hash bytea primary key not null,
    session_id uuid not null references sessions (id) on delete cascade,
    user_id uuid not null,
    expires_at timestamptz not null
);
create index access_tokens_session_id on access_tokens (session_id);

create table refresh_tokens (
    hash bytea primary key not null,
    session_id uuid not null references sessions (id) on delete cascade,
    user_id uuid not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    successor_hash bytea
);
create index refresh_tokens_session_id on refresh_tokens (session_id);

-- Failed guesses by what they tried (account, address, or both together), under a hash.
create table login_throttles (
    key bytea primary key not null,
    failures bigint not null,            -- since window_start
    in_a_row bigint not null,            -- since the last right password
    window_start timestamptz not null,
    blocked_until timestamptz not null,
    forget_at timestamptz                -- null: blocked until it is lifted
);

-- Addresses an account has logged in from: its owner is not locked out by a stranger's guesses.
create table known_addresses (
    user_id uuid not null references users (id),
    address_hash bytea not null,
    seen_at timestamptz not null,
    primary key (user_id, address_hash)
);

comment on table users is 'Accounts. A deleted one keeps its row with everything personal erased, so that its orders and reviews still refer to it';
comment on column users.id is 'UUIDv7: begins with the time of registration';
comment on column users.username is 'The name as it was chosen, null once deleted';
comment on column users.username_folded is 'The name without case: what is unique';
comment on column users.email is 'The e-mail address as it was given, null once deleted';
comment on column users.email_folded is 'The e-mail address without case: what is unique';
comment on column users.email_verified is 'Whether the address is known to be theirs';
comment on column users.password_hash is 'Argon2id in PHC form, null once deleted. Not for analysts';
comment on column users.role is 'buyer, freelancer, both, or admin (made at the command line only)';
comment on column users.status is 'active, suspended or deleted';
comment on column users.version is 'Grows with each change by its owner or an administrator';
comment on column users.created_at is 'When the account was registered';
comment on column users.updated_at is 'When it was last changed';
comment on table sessions is 'Logins that are alive. Ending one deletes its row and its tokens';
comment on table access_tokens is 'SHA-256 of the tokens that requests carry, valid for 15 minutes';
comment on table refresh_tokens is 'SHA-256 of the tokens that bring the next pair, each spent once';
comment on table login_throttles is 'Wrong passwords, counted under a hash of what they tried';
comment on table known_addresses is 'Addresses that an account has logged in from, hashed';
