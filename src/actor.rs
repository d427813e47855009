//! Who asks. Every command and query is given one and decides by it.

use crate::error::{FORBIDDEN, ROLE_REQUIRED, Result, UNAUTHENTICATED};
use crate::id::Id;
use crate::words;

/// The kind of a user's id; the account itself belongs to `users/`.
#[derive(Debug)]
pub enum UserKind {}
pub type UserId = Id<UserKind>;

/// The kind of a session's id.
pub enum SessionKind {}
pub type SessionId = Id<SessionKind>;

words! {
    /// What an account may do. `admin` is given by the command line only.
    pub enum Role {
        Buyer = "buyer",
        Freelancer = "freelancer",
        Both = "both",
        Admin = "admin",
    }
}

impl Role {
    pub fn buys(self) -> bool {
        matches!(self, Self::Buyer | Self::Both)
    }

    pub fn sells(self) -> bool {
        matches!(self, Self::Freelancer | Self::Both)
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Nobody has logged in.
    Nobody,
    /// A live session of an active account.
    User { id: UserId, role: Role, session: SessionId },
    /// A deadline that passed, or the operator at the command line.
    System,
}

impl Actor {
    pub fn id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The session that the caller's token belongs to.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::User { session, .. } => Some(*session),
            _ => None,
        }
    }

    pub fn is(&self, user: UserId) -> bool {
        self.id() == Some(user)
    }

    pub fn is_admin(&self) -> bool {
        matches!(self, Self::User { role: Role::Admin, .. })
    }

    /// The caller's id, or 401.
    pub fn require_user(&self) -> Result<UserId> {
        self.id().ok_or_else(|| {
            UNAUTHENTICATED
                .error("log in with POST /users/login and send `Authorization: Bearer <access_token>`")
        })
    }

    /// The id of a caller who may buy, or 403.
    pub fn require_buyer(&self) -> Result<UserId> {
        self.require(Role::buys, "buying", "buyer")
    }

    /// The id of a caller who may sell, or 403.
    pub fn require_seller(&self) -> Result<UserId> {
        self.require(Role::sells, "selling", "freelancer")
    }

    /// The id of an administrator, or 403.
    pub fn require_admin(&self) -> Result<UserId> {
        let id = self.require_user()?;
        if self.is_admin() { Ok(id) } else { Err(FORBIDDEN.error("only an administrator may do this")) }
    }

    fn require(&self, may: fn(Role) -> bool, what: &str, role: &str) -> Result<UserId> {
        let id = self.require_user()?;
        match self {
            Self::User { role, .. } if may(*role) => Ok(id),
            Self::User { role: Role::Admin, .. } => Err(ROLE_REQUIRED.error(format!(
                "an administrator neither buys nor sells: {what} needs an account with role {role} or both"
            ))),
            _ => Err(ROLE_REQUIRED.error(format!(
                "{what} needs the role {role} or both: PUT /users/me {{\"role\": \"both\"}}"
            ))),
        }
    }
}
