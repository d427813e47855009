//! `guildhall admin`: the first administrator, and passwords that were lost. Passwords come by standard input, never as an
//! argument that others can list.

use std::io::{IsTerminal, Read, stdin};

use clap::{Args, Subcommand};

use super::{Failure, open_beside, say};
use crate::config::Config;
use crate::users::{LoginName, Role, commands, queries};

#[derive(Subcommand)]
pub enum Admin {
    /// Open the account of an administrator
    Create {
        #[arg(long)]
        username: String,
        #[arg(long)]
        email: String,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Give an account a new password and end its sessions
    ResetPassword {
        #[command(flatten)]
        account: Named,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Named {
    #[arg(long)]
    username: Option<String>,
    #[arg(long)]
    email: Option<String>,
}

pub async fn run(config: Config, act: Admin) -> Result<(), Failure> {
    match act {
        Admin::Create { username, email, .. } => create(config, &username, &email).await,
        Admin::ResetPassword { account, .. } => {
            reset(config, account.username.or(account.email).unwrap_or_default()).await
        }
    }
}

async fn create(config: Config, username: &str, email: &str) -> Result<(), Failure> {
    let checked = commands::check_account(username, email, &read_password()?)?;
    let app = open_beside(config).await?;
    let hash = app.hasher().hash(checked.password()).await?;
    let new = checked.with_hash(hash, Role::Admin);
    let account = app.db().write(move |tx| commands::register(tx, &new)).await?;
    say(format!("{username} is an administrator with the id {}: log in with POST /users/login", account.id))
}

async fn reset(config: Config, name: String) -> Result<(), Failure> {
    let password = read_password()?;
    let app = open_beside(config).await?;
    let login_name = LoginName::either(&name);
    let Some(account) = app.db().read(move |tx| queries::named(tx, &login_name)).await? else {
        return Err(Failure::new(format!("no account is called {name}: check the spelling")));
    };
    commands::check_password(&account, &password)?;
    let hash = app.hasher().hash(&password).await?;
    let named = name.clone();
    app.db().write(move |tx| commands::reset_password(tx, &named, &hash)).await?;
    say(format!("{name} has a new password, and every session of the account has ended"))
}

/// All of standard input without its final newline; one line where somebody types.
fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    let read = if stdin().is_terminal() {
        eprintln!("Type the password and press Enter (it is shown):");
        stdin().read_line(&mut text)
    } else {
        stdin().read_to_string(&mut text)
    };
    read.map_err(Failure::of("cannot read the password from standard input"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
