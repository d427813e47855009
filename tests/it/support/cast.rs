//! The people of the tests, named by their parts.

use guildhall::users::Role;
use guildhall::users::commands::{check_account, register};
use serde_json::{Value, json};

use super::TestApp;

/// Everybody's password.
pub const PASSWORD: &str = "quiet copper lantern";

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub username: String,
    pub email: String,
    pub token: String,
    pub refresh_token: String,
}

impl TestApp {
    /// A new account with `role`, logged in.
    pub async fn person(&self, username: &str, role: &str) -> Person {
        let email = format!("{username}@example.com");
        let body = json!({ "username": username, "email": email, "password": PASSWORD, "role": role });
        self.post("/users/register", None, body).await.expect(201);
        self.log_in(username).await
    }

    /// A further session of an account.
    pub async fn log_in(&self, username: &str) -> Person {
        let tokens: Value = self
            .post("/users/login", None, json!({ "username": username, "password": PASSWORD }))
            .await
            .expect(200)
            .json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Person {
            id: text(&tokens["user"]["id"]),
            username: username.to_owned(),
            email: text(&tokens["user"]["email"]),
            token: text(&tokens["access_token"]),
            refresh_token: text(&tokens["refresh_token"]),
        }
    }

    pub async fn buyer(&self) -> Person {
        self.person("buyer", "buyer").await
    }

    pub async fn seller(&self) -> Person {
        self.person("seller", "freelancer").await
    }

    /// An administrator: made as the command line makes one.
    pub async fn admin(&self) -> Person {
        self.administrator("keeper").await
    }

    pub async fn second_admin(&self) -> Person {
        self.administrator("warden").await
    }

    async fn administrator(&self, username: &str) -> Person {
        let checked = check_account(username, &format!("{username}@example.com"), PASSWORD).unwrap();
        let hash = self.app.hasher().hash(checked.password()).await.unwrap();
        let new = checked.with_hash(hash, Role::Admin);
        self.app.db().write(move |tx| register(tx, &new)).await.unwrap();
        self.log_in(username).await
    }

    pub async fn stranger(&self) -> Person {
        self.person("stranger", "both").await
    }
}
