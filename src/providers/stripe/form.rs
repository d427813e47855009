//! Bodies and queries as Stripe reads them: form-encoded, nested by brackets.

use url::form_urlencoded::Serializer;

/// Parameters in their order: the same request is the same bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub fn encoded(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded() {
        let form = Form::default()
            .with("amount", 1_990)
            .with("metadata[key]", "payment-1 & 2=ä")
            .with_some("return_url", None::<&str>)
            .with("expand[]", "latest_charge");
        assert_eq!(
            form.encoded(),
            "amount=1990&metadata%5Bkey%5D=payment-1+%26+2%3D%C3%A4&expand%5B%5D=latest_charge"
        );
        assert_eq!(Form::default().encoded(), "");
    }
}
