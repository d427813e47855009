-- Accounts, sessions, and what slows down guessing. A deleted account keeps its row with everything personal erased.
create table users (
    id blob primary key not null,
    username text,
    username_folded text unique,
    email text,
    email_folded text unique,
    email_verified integer not null default 0 check (email_verified in (0, 1)),
    password_hash text,
    role text not null check (role in ('buyer', 'freelancer', 'both', 'admin')),
    status text not null default 'active' check (status in ('active', 'suspended', 'deleted')),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    check (status = 'deleted' or (username is not null and email is not null and password_hash is not null))
) strict;

-- A session is one login: the family of its refresh tokens. Ending it deletes it and its tokens.
create table sessions (
    id blob primary key not null,
    user_id blob not null references users (id),
    created_at integer not null,
    expires_at integer not null
) strict;
create index sessions_user_id on sessions (user_id);

-- Tokens are stored as SHA-256 of what the client holds.
create table access_tokens (
    hash blob primary key not null,
    session_id blob not null references sessions (id) on delete cascade,
    user_id blob not null,
    expires_at integer not null
) strict;
create index access_tokens_session_id on access_tokens (session_id);

create table refresh_tokens (
    hash blob primary key not null,
    session_id blob not null references sessions (id) on delete cascade,
    user_id blob not null,
    expires_at integer not null,
    used_at integer,
    successor_hash blob
) strict;
create index refresh_tokens_session_id on refresh_tokens (session_id);

-- Failed guesses by what they tried (account, address, or both together), under a hash.
create table login_throttles (
    key blob primary key not null,
    failures integer not null,           -- since window_start
    in_a_row integer not null,           -- since the last right password
    window_start integer not null,
    blocked_until integer not null,
    forget_at integer                    -- null: blocked until it is lifted
) strict;

-- Addresses an account has logged in from: its owner is not locked out by a stranger's guesses.
create table known_addresses (
    user_id blob not null references users (id),
    address_hash blob not null,
    seen_at integer not null,
    primary key (user_id, address_hash)
) strict;
