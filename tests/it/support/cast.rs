//! The people of the tests, named by their parts.

use guildhall::error::Error;
use guildhall::users::commands::{NewAccount, register};
use guildhall::users::{Email, Role, Username};
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
        let password_hash = self.app.hasher().hash(PASSWORD).await.unwrap();
        self.app
            .db()
            .write(move |tx| {
                let username = Username::parse("keeper").map_err(|_| Error::broken("username"))?;
                let email = Email::parse("keeper@example.com").map_err(|_| Error::broken("email"))?;
                let new =
                    NewAccount { username, email, password_hash: password_hash.clone(), role: Role::Admin };
                register(tx, &new)
            })
            .await
            .unwrap();
        self.log_in("keeper").await
    }

    pub async fn stranger(&self) -> Person {
        self.person("stranger", "both").await
    }
}
