//! Argon2id on threads of its own: each owns its 19 MiB while there is work, behind a bounded queue, so that a crowd that
//! logs in neither slows other requests nor fills the memory.

use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::error::{Error, OVERLOADED, Result};

/// Hashes that may wait; the next one is refused with 503.
const QUEUE: usize = 64;
/// Whoever logs in waits for 20 ms of a processor in any case, and all others for much less: they go first.
const NICENESS: i32 = 4;
/// A thread without work for this long gives its memory back.
const IDLE: Duration = Duration::from_secs(5);

/// How costly a hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Cost {
    /// OWASP's first choice: 19 MiB, two passes, one lane.
    pub const STANDARD: Self = Self { memory_kib: 19_456, passes: 2 };
    /// For tests of everything else.
    pub const CHEAP: Self = Self { memory_kib: 64, passes: 1 };

    fn params(self) -> Result<Params> {
        Params::new(self.memory_kib, self.passes, 1, Some(32))
            .map_err(|error| Error::broken(format!("argon2: {error}")))
    }
}

struct Job {
    password: String,
    /// `None`: hash anew. Otherwise whether the password is the one of this hash.
    known: Option<String>,
    reply: oneshot::Sender<Result<Verdict>>,
}

enum Verdict {
    Hash(String),
    Matches(bool),
}

/// The hashing threads.
pub struct Hasher {
    queue: Sender<Job>,
    cost: Cost,
    /// Compared with where there is no account, so that its absence takes the same time.
    decoy: String,
}

impl Hasher {
    pub fn start(cost: Cost) -> Result<Self> {
        let (queue, jobs) = bounded(QUEUE);
        let threads = thread::available_parallelism().map_or(1, usize::from).div_ceil(2).clamp(1, 2);
        for _ in 0..threads {
            let jobs = jobs.clone();
            thread::Builder::new().name("hasher".to_owned()).spawn(move || work(&jobs, cost))?;
        }
        let decoy = encode(cost, &[7; 16], &[7; 32]);
        Ok(Self { queue, cost, decoy })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: &str) -> Result<String> {
        match self.ask(password, None).await? {
            Verdict::Hash(hash) => Ok(hash),
            Verdict::Matches(_) => Err(Error::broken("a hash was asked for")),
        }
    }

    /// Whether `password` is the one behind `hash`; without a hash it takes as long and is `false`.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let known = hash.unwrap_or(&self.decoy).to_owned();
        match self.ask(password, Some(known)).await? {
            Verdict::Matches(same) => Ok(same && hash.is_some()),
            Verdict::Hash(_) => Err(Error::broken("a comparison was asked for")),
        }
    }

    /// Whether a hash was made with lower costs than today's.
    pub fn is_outdated(&self, hash: &str) -> bool {
        decode(hash).is_none_or(|(cost, _, _)| cost != self.cost)
    }

    async fn ask(&self, password: &str, known: Option<String>) -> Result<Verdict> {
        let (reply, answer) = oneshot::channel();
        let job = Job { password: password.to_owned(), known, reply };
        let full =
            |_| OVERLOADED.error("too many people log in just now: try again in a second").retry_after(1);
        self.queue.try_send(job).map_err(full)?;
        answer.await.map_err(|_| Error::broken("a hashing thread went away"))?
    }
}

fn work(jobs: &Receiver<Job>, cost: Cost) {
    // On Linux a thread has a priority of its own. Where it cannot be lowered, logins only take more from the others.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let job = match jobs.recv_timeout(IDLE) {
            Ok(job) => job,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                memory = Vec::new();
                match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                }
            }
        };
        // Whoever asked has gone away: the work is not needed.
        if job.reply.is_closed() {
            continue;
        }
        let verdict = match &job.known {
            None => fresh(&job.password, cost, &mut memory).map(Verdict::Hash),
            Some(known) => compare(&job.password, known, &mut memory).map(Verdict::Matches),
        };
        let _ = job.reply.send(verdict);
    }
}

fn fresh(password: &str, cost: Cost, memory: &mut Vec<Block>) -> Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Error::broken(format!("no randomness: {error}")))?;
    let hash = digest(password, &salt, cost, memory)?;
    Ok(encode(cost, &salt, &hash))
}

fn compare(password: &str, known: &str, memory: &mut Vec<Block>) -> Result<bool> {
    let (cost, salt, expected) =
        decode(known).ok_or_else(|| Error::broken("a stored password hash is unreadable"))?;
    let hash = digest(password, &salt, cost, memory)?;
    Ok(hash.as_slice().ct_eq(&expected).into())
}

fn digest(password: &str, salt: &[u8], cost: Cost, memory: &mut Vec<Block>) -> Result<[u8; 32]> {
    let params = cost.params()?;
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, memory.as_mut_slice())
        .map_err(|error| Error::broken(format!("argon2: {error}")))?;
    Ok(hash)
}

/// The PHC string format.
fn encode(cost: Cost, salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={},t={},p=1${salt}${hash}", cost.memory_kib, cost.passes)
}

fn decode(text: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut parts = text.strip_prefix("$argon2id$v=19$m=")?.split('$');
    let mut costs = parts.next()?.split(',');
    let memory_kib = costs.next()?.parse().ok()?;
    let passes = costs.next()?.strip_prefix("t=")?.parse().ok()?;
    (costs.next()? == "p=1").then_some(())?;
    let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    Some((Cost { memory_kib, passes }, salt, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_only() {
        let hasher = Hasher::start(Cost::CHEAP).expect("threads start");
        let hash = hasher.hash("quiet copper lantern").await.expect("hashes");
        assert!(hasher.verify("quiet copper lantern", Some(&hash)).await.expect("compares"));
        assert!(!hasher.verify("quiet copper lanterns", Some(&hash)).await.expect("compares"));
        assert!(!hasher.verify("quiet copper lantern", None).await.expect("compares"));
        assert!(!hasher.is_outdated(&hash));
        assert!(Hasher::start(Cost { passes: 2, ..Cost::CHEAP }).expect("threads start").is_outdated(&hash));
    }

    #[test]
    fn standard_hashes_follow_the_phc_format() {
        let hash = fresh("x", Cost::STANDARD, &mut Vec::new()).expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
}
