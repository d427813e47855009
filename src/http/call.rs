//! A request on its way to a command: checked in the order of the contract (credentials, rate, media type and size, JSON,
//! query), then run in a transaction that looks at the session again.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::actor::{Actor, UserId};
use crate::app::App;
use crate::db::{self, Freshness, Tx};
use crate::error::{self, Error, Result};
use crate::form::{Form, Node, Nothing, Unchecked};
use crate::id::Id;
use crate::version::Expected;

use super::answer::Answer;
use super::idempotency::{Claim, Key};
use super::operation::{Access, Operation};
use super::problem::{REQUEST_ID, RequestId};
use super::query::Query;
use super::server::{BodyTimedOut, Peer};
use crate::page::PageRequest;

/// A JSON body may have this many bytes.
const MAX_BODY: usize = 64 * 1024;

/// How credentials become an [`Actor`]: a service declares it, `app.rs` wires it.
pub struct Authentication {
    /// The live session of an access token, or why there is none.
    pub by_token: fn(&Tx, &str) -> Result<Actor>,
    /// The same caller as he is now: his session may have ended, his role may have changed.
    pub again: fn(&Tx, &Actor) -> Result<Actor>,
}

/// One request, ready for its command.
pub struct Call<F = Nothing> {
    pub app: App,
    pub actor: Actor,
    pub body: Unchecked<F>,
    pub query: Arc<Query>,
    head: Arc<Head>,
}

struct Head {
    path: Vec<(String, String)>,
    target: http::Uri,
    headers: HeaderMap,
    address: IpAddr,
    key: Option<Key>,
    request_id: RequestId,
    /// What its reads have to see.
    fresh: Freshness,
}

impl<F> Clone for Call<F> {
    fn clone(&self) -> Self {
        Self {
            app: self.app.clone(),
            actor: self.actor,
            body: self.body.clone(),
            query: Arc::clone(&self.query),
            head: Arc::clone(&self.head),
        }
    }
}

/// How far a request of several transactions has come.
pub enum Begun<K, T> {
    /// It was answered before: the same bytes again.
    Replayed(Answer),
    /// It was begun before and made this; its answer is still to come.
    Resumed(Id<K>),
    /// It begins now, and this is what it goes on with.
    Started(T),
}

impl<F: Form> FromRequest<App> for Call<F> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let operation = parts.extensions.get::<Arc<Operation>>().cloned();
        let operation =
            operation.ok_or_else(|| Error::broken("a handler outside the table of operations"))?;
        let address = client_address(app, &parts);
        let (actor, fresh) = authenticate(app, &parts.headers, &operation).await?;
        app.rate_limits().count(&actor, address, operation.rate)?;
        if operation.access == Access::Signed {
            actor.require_user()?;
        }
        let bytes = match parts.method {
            Method::GET | Method::HEAD => Bytes::new(),
            _ => {
                read_body(&parts.headers, body, operation.body.as_ref().is_some_and(|body| body.required))
                    .await?
            }
        };
        let body = parse_body::<F>(&bytes)?;
        let query = Query::parse(parts.uri.query(), &operation)?;
        let key = if operation.takes_key() { idempotency_key(&parts, &bytes)? } else { None };
        let path =
            RawPathParams::from_request_parts(&mut parts, app).await.map_err(|_| error::not_found())?;
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let request_id = REQUEST_ID.try_with(|id| *id).unwrap_or_default();
        let head = Head { path, target: parts.uri, headers: parts.headers, address, key, request_id, fresh };
        Ok(Self { app: app.clone(), actor, body, query: Arc::new(query), head: Arc::new(head) })
    }
}

impl<F: Form> Call<F> {
    /// The id in the path; `me` is the caller.
    pub fn id<K>(&self, name: &str) -> Id<K> {
        Id::from_wire(self.path(name))
    }

    /// The account in the path or a parameter; `me` is the caller.
    pub fn user_id(&self, name: &str) -> Result<UserId> {
        self.resolve_user(self.path(name))
    }

    /// An account that a client named; `me` is the caller.
    pub fn resolve_user(&self, text: &str) -> Result<UserId> {
        match text {
            "me" => self.actor.require_user(),
            text => Ok(Id::from_wire(text)),
        }
    }

    /// The client's address, through trusted proxies.
    pub fn address(&self) -> IpAddr {
        self.head.address
    }

    /// Whether the client asks for `media_type` before it asks for JSON.
    pub fn prefers(&self, media_type: &str) -> bool {
        let values = self.head.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut asked = values
            .flat_map(|list| list.split(','))
            .map(|part| part.split(';').next().unwrap_or_default().trim());
        asked
            .find(|kind| kind.eq_ignore_ascii_case(media_type) || matches!(*kind, "application/json" | "*/*"))
            .is_some_and(|kind| kind.eq_ignore_ascii_case(media_type))
    }

    /// The page that a list is asked for.
    pub fn page(&self) -> Result<PageRequest> {
        let limit = self.query.parsed("limit", "an integer from 1 to 100", |text| {
            text.parse::<usize>()
                .ok()
                .filter(|limit| (1..=100).contains(limit) && text.bytes().all(|b| b.is_ascii_digit()))
        })?;
        Ok(PageRequest::new(limit.unwrap_or(20), self.query.text("cursor").map(str::to_owned)))
    }

    /// The versions that the writer accepts.
    pub fn expected(&self) -> Expected {
        let mut values = self.head.headers.get_all(header::IF_MATCH).iter().peekable();
        if values.peek().is_none() {
            return Expected::any();
        }
        let tags: Vec<&str> = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .collect();
        if tags.contains(&"*") {
            return Expected::any();
        }
        let version = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.split('.').next()?.parse().ok();
        Expected::one_of(tags.iter().filter_map(version).collect())
    }

    fn path(&self, name: &str) -> &str {
        self.head.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Answers from one snapshot; 304 when the client has it already.
    pub async fn read(
        self,
        work: impl Fn(&Tx, &Self) -> Result<Answer> + Send + Sync + 'static,
    ) -> Result<Answer> {
        let head = Arc::clone(&self.head);
        let answer = self.app.db().at(self.head.fresh).read(move |tx| work(tx, &self)).await?;
        Ok(answer.unless_known(&head.headers))
    }

    /// As [`Self::read`], for what is known to be long before it begins.
    pub async fn read_aside(
        self,
        work: impl Fn(&Tx, &Self) -> Result<Answer> + Send + Sync + 'static,
    ) -> Result<Answer> {
        let head = Arc::clone(&self.head);
        let answer = self.app.db().at(self.head.fresh).read_aside(move |tx| work(tx, &self)).await?;
        Ok(answer.unless_known(&head.headers))
    }

    /// As [`Self::read`], for what asks one statement that an index and a limit bound.
    pub async fn glance(
        self,
        work: impl Fn(&Tx, &Self) -> Result<Answer> + Send + Sync + 'static,
    ) -> Result<Answer> {
        let head = Arc::clone(&self.head);
        let answer = self.app.db().at(self.head.fresh).glance(move |tx| work(tx, &self)).await?;
        Ok(answer.unless_known(&head.headers))
    }

    /// Answers a list: the page, and a `Link` to the next.
    pub fn list<T: serde::Serialize>(&self, body: &T, next_cursor: Option<&str>) -> Result<Answer> {
        let answer = Answer::page(body)?;
        let Some(cursor) = next_cursor else { return Ok(answer) };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = url::form_urlencoded::parse(self.head.target.query().unwrap_or_default().as_bytes());
        query.extend_pairs(pairs.filter(|(name, _)| name != "cursor")).append_pair("cursor", cursor);
        let link = format!("<{}?{}>; rel=\"next\"", self.head.target.path(), query.finish());
        Ok(answer.header(header::LINK, link))
    }

    /// Runs a command and keeps its answer under the caller's idempotency key, all in one transaction.
    pub async fn write(self, work: impl Fn(&Tx, &Self) -> Result<Answer> + Send + 'static) -> Result<Answer> {
        let app = self.app.clone();
        app.db()
            .write(move |tx| {
                let call = self.as_of(tx)?;
                let (Some(key), Some(caller)) = (&call.head.key, call.actor.id()) else {
                    return work(tx, &call);
                };
                match key.claim(tx, caller)? {
                    Claim::Answered(answer) => Ok(answer),
                    Claim::Unanswered(_) => Err(in_progress()),
                    Claim::Fresh => {
                        let answer = work(tx, &call)?;
                        if answer.is_kept() {
                            key.answer(tx, caller, &answer)?;
                        }
                        Ok(answer)
                    }
                }
            })
            .await
    }

    /// The first transaction of a request that needs several: claims the key together with what `work` makes, an id and
    /// what the next step needs. From here on a refusal would have to say that something was done.
    pub async fn begin<K: 'static, T: Send + 'static>(
        &self,
        work: impl Fn(&Tx, &Self) -> Result<(Id<K>, T)> + Send + 'static,
    ) -> Result<Begun<K, T>> {
        let call = self.clone();
        self.app
            .db()
            .write(move |tx| {
                let call = call.as_of(tx)?;
                let (Some(key), Some(caller)) = (&call.head.key, call.actor.id()) else {
                    return work(tx, &call).map(|(_, made)| Begun::Started(made));
                };
                match key.claim(tx, caller)? {
                    Claim::Answered(answer) => Ok(Begun::Replayed(answer)),
                    Claim::Unanswered(Some(effect)) => Ok(Begun::Resumed(effect.cast())),
                    Claim::Unanswered(None) => Err(in_progress()),
                    Claim::Fresh => {
                        let (effect, made) = work(tx, &call)?;
                        key.tie(tx, caller, effect)?;
                        Ok(Begun::Started(made))
                    }
                }
            })
            .await
    }

    /// The last transaction of such a request: keeps the answer.
    pub async fn finish(
        &self,
        work: impl Fn(&Tx, &Self) -> Result<Answer> + Send + 'static,
    ) -> Result<Answer> {
        let call = self.clone();
        // What was begun is finished however long the rest took.
        db::with_patience(self.app.db().write(move |tx| {
            // A refusal that is kept names its request, and this is another thread.
            let answer = REQUEST_ID.sync_scope(call.head.request_id, || work(tx, &call))?;
            if let (Some(key), Some(caller), true) = (&call.head.key, call.actor.id(), answer.is_kept()) {
                key.answer(tx, caller, &answer)?;
            }
            Ok(answer)
        }))
        .await
    }

    /// This call by the caller as he is in `tx`.
    fn as_of(&self, tx: &Tx) -> Result<Self> {
        let actor = match self.actor {
            Actor::User { .. } => (tx.wired::<Authentication>().again)(tx, &self.actor)?,
            other => other,
        };
        Ok(Self { actor, ..self.clone() })
    }
}

/// 409 while the first request with a key still runs.
fn in_progress() -> Error {
    error::IDEMPOTENCY_IN_PROGRESS
        .error("the first request with this Idempotency-Key still runs: send it again in a second")
        .retry_after(1)
}

/// Who calls, and how fresh what he reads has to be: of what is public he sees at least what he did himself, and a stranger
/// what was there a moment ago.
async fn authenticate(app: &App, headers: &HeaderMap, operation: &Operation) -> Result<(Actor, Freshness)> {
    let for_strangers = if operation.public { Freshness::Recent } else { Freshness::Present };
    if operation.access == Access::Unseen {
        return Ok((Actor::Nobody, for_strangers));
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok((Actor::Nobody, for_strangers)) };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    let (Some(token), None) = (token, values.next()) else {
        return Err(error::INVALID_TOKEN.error("send one header `Authorization: Bearer <access_token>`"));
    };
    let by_token = move |tx: &Tx| (tx.wired::<Authentication>().by_token)(tx, &token);
    match operation.public {
        true => app.db().glance_with_freshness(by_token).await,
        false => Ok((app.db().glance(by_token).await?, Freshness::Present)),
    }
}

async fn read_body(headers: &HeaderMap, body: axum::body::Body, required: bool) -> Result<Bytes> {
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity");
    if encoded {
        return Err(error::UNSUPPORTED_MEDIA_TYPE.error("send the body without Content-Encoding"));
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let json = kind.as_deref().is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    });
    let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
        && !headers.contains_key(header::TRANSFER_ENCODING);
    if !json && (!empty || kind.is_some() || required) {
        return Err(
            error::UNSUPPORTED_MEDIA_TYPE.error("send `Content-Type: application/json` and a JSON body")
        );
    }
    collect(headers, body, MAX_BODY).await
}

/// The bytes of a body, `most` of them.
pub(super) async fn collect(headers: &HeaderMap, body: axum::body::Body, most: usize) -> Result<Bytes> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most as u64) {
        return Err(too_large(most));
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(failed) => Err(body_error(failed.as_ref(), most)),
    }
}

fn too_large(most: usize) -> Error {
    error::BODY_TOO_LARGE.error(format!("the body may have {} KiB: send less", most / 1_024))
}

fn body_error(failed: &(dyn std::error::Error + 'static), most: usize) -> Error {
    let mut cause = Some(failed);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return too_large(most);
        }
        if error.is::<BodyTimedOut>() {
            return error::REQUEST_TIMEOUT.error("the body took longer than 15 seconds: send it faster");
        }
        cause = error.source();
    }
    error::INVALID_REQUEST.error("the body ended early: send all of it")
}

fn parse_body<F: Form>(bytes: &[u8]) -> Result<Unchecked<F>> {
    let takes_fields = !F::fields().is_empty();
    if bytes.is_empty() {
        let optional = F::fields().iter().all(|field| !field.required);
        return match optional {
            true => Ok(Unchecked::new(Node::Object(Vec::new()))),
            false => Err(error::INVALID_REQUEST.error("the body is empty: send a JSON object")),
        };
    }
    let node = Node::parse(bytes).map_err(|malformed| {
        error::INVALID_REQUEST.error(format!("the body is not JSON that can be read: {}", malformed.0))
    })?;
    let body = Unchecked::<F>::new(node);
    if !takes_fields {
        body.check()?;
    }
    Ok(body)
}

fn idempotency_key(parts: &http::request::Parts, body: &[u8]) -> Result<Option<Key>> {
    let mut values = parts.headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().unwrap_or_default();
            Key::parse(text, parts.method.as_str(), parts.uri.path(), body).map(Some)
        }
        _ => Err(error::INVALID_IDEMPOTENCY_KEY.error("send one Idempotency-Key")),
    }
}

/// The peer, or what trusted proxies say of it: the last address in `X-Forwarded-For` that is no proxy of ours. Each proxy
/// appends what it saw, so what stands before a word that is no address was written by anybody.
pub(super) fn client_address(app: &App, parts: &http::request::Parts) -> IpAddr {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let peer = parts.extensions.get::<Peer>().map_or(unknown, |peer| peer.0.ip()).to_canonical();
    let trusted = |address: IpAddr| app.config().trusts(address);
    if !trusted(peer) {
        return peer;
    }
    let lists =
        parts.headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default());
    let words: Vec<&str> = lists.flat_map(|list| list.split(',')).collect();
    let mut addresses = words.into_iter().rev().map_while(|word| word.trim().parse::<IpAddr>().ok());
    addresses.find(|address| !trusted(*address)).unwrap_or(peer)
}
