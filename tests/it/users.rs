//! Accounts, from registration to deletion.

mod changing;
mod closing;
mod guessing;
mod hooks;
mod overseeing;
mod registering;
mod sessions;
