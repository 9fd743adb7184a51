//! What the boot-action client of an installed machine does: fetch its assets and report.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::driver::Surroundings;
use super::{CallBackState, Machine};
use crate::call_log::Call;

/// How often an answer that says no (401, 403, 404) is asked again.
const REFUSALS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Pauses never get shorter than this, whatever the time scale: an unreachable server is not hammered.
const PAUSE_FLOOR: Duration = Duration::from_millis(50);

/// An entry of `GET bootactions/nodes/{hostname}`.
#[derive(Debug, Deserialize)]
struct Listed {
    action_id: String,
    status: String,
}

struct Client<'a> {
    machine: &'a Machine,
    world: &'a Surroundings,
    key: String,
}

/// Runs the whole call-back once, and notes in the machine how it went.
pub(super) async fn run(machine: Arc<Machine>, world: Arc<Surroundings>) {
    let found = world.region.lock().boot_action_key(&machine.shape.macs());
    let Some((hostname, key)) = found else {
        return;
    };
    if world.faults.machine(&machine.shape.name).never_calls_back {
        return;
    }
    machine.note_call_back(CallBackState::Working);
    let client = Client {
        machine: &machine,
        world: &world,
        key,
    };
    let state = match client.all(&hostname).await {
        Ok(()) => CallBackState::Done,
        Err(reason) => CallBackState::GaveUp(reason),
    };
    machine.note_call_back(state);
}

impl Client<'_> {
    async fn all(&self, hostname: &str) -> Result<(), String> {
        for kind in ["units", "files"] {
            let path = format!("bootactions/nodes/{hostname}/{kind}");
            let archive = self.call(Method::GET, &path, None).await?;
            let files = unpack(&archive)
                .map_err(|error| format!("{path} is not a readable gzip tar: {error}"))?;
            self.machine.note_files(files);
        }
        let path = format!("bootactions/nodes/{hostname}");
        let list = self.call(Method::GET, &path, None).await?;
        let list: Vec<Listed> = serde_json::from_slice(&list)
            .map_err(|error| format!("{path} is not the expected list: {error}"))?;
        for action in list.iter().filter(|action| action.status == "incomplete") {
            let path = format!("bootactions/{}/", action.action_id);
            self.call(Method::POST, &path, Some(self.verdict())).await?;
        }
        Ok(())
    }

    fn verdict(&self) -> Value {
        let failed = self
            .world
            .faults
            .machine(&self.machine.shape.name)
            .boot_action_fails;
        let (status, message) = if failed {
            ("Failure", "the simulated boot action failed")
        } else {
            ("Success", "the simulated boot action ran")
        };
        json!({"status": status, "details": [{"message": message, "error": failed}]})
    }

    /// One request, repeated as a real machine would: for ever while the server is away or broken, a few times while
    /// it says no.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Vec<u8>, String> {
        let mut pause = FIRST_PAUSE;
        let mut refusals = 0;
        loop {
            let (status, reply) = match self.once(&method, path, body.as_ref()).await {
                Ok(answer) => answer,
                Err(error) => {
                    self.log(&method, path, None, error);
                    (0, Vec::new())
                }
            };
            match status {
                200..=299 => return Ok(reply),
                409 if method == Method::POST => return Ok(reply),
                401 | 403 | 404 if refusals + 1 >= REFUSALS => {
                    return Err(format!(
                        "{method} {path} was answered {status} {REFUSALS} times"
                    ));
                }
                401 | 403 | 404 => refusals += 1,
                0 | 429 | 500.. => {}
                _ => return Err(format!("{method} {path} was answered {status}")),
            }
            let timing = self.world.timing;
            tokio::time::sleep(timing.scaled(pause).max(PAUSE_FLOOR)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), String> {
        let base = self.base().await;
        let mut request = self
            .world
            .client
            .request(method.clone(), format!("{base}/{path}"))
            .header("X-Bootaction-Key", &self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|e| e.without_url().to_string())?;
        let status = answer.status().as_u16();
        let bytes = answer
            .bytes()
            .await
            .map_err(|e| e.without_url().to_string())?;
        self.log(method, path, Some(status), format!("{} bytes", bytes.len()));
        Ok((status, bytes.to_vec()))
    }

    /// The base to call; waits until one is set.
    async fn base(&self) -> String {
        let mut url = self.world.call_back_url.clone();
        let known = url
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|url| url.clone());
        match known {
            Some(base) => base,
            None => std::future::pending().await,
        }
    }

    fn log(&self, method: &Method, path: &str, status: Option<u16>, note: String) {
        self.world.log.push(Call::CallBack {
            machine: self.machine.shape.name.clone(),
            method: method.to_string(),
            path: path.to_owned(),
            status,
            note,
        });
    }
}

/// The member names of a gzip tar, every member read to its end.
fn unpack(archive: &[u8]) -> std::io::Result<Vec<String>> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    let mut names = Vec::new();
    for member in tar.entries()? {
        let mut member = member?;
        names.push(member.path()?.display().to_string());
        std::io::copy(&mut member, &mut std::io::sink())?;
    }
    let mut rest = Vec::new();
    tar.into_inner().read_to_end(&mut rest)?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    #[test]
    fn only_whole_gzip_tars_are_read() {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o600);
        tar.append_data(&mut header, "etc/motd", &b"hi\n"[..])
            .unwrap();
        let whole = tar.into_inner().unwrap().finish().unwrap();
        assert_eq!(unpack(&whole).unwrap(), ["etc/motd"]);
        assert!(unpack(&whole[..whole.len() - 9]).is_err());
        assert!(unpack(b"not an archive").is_err());
    }
}
