//! An open session with a BMC and its commands.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::debug;

use crate::client::link::{Dialogue, Link};
use crate::command::CommandId;
use crate::command::boot::{self, BootDevice, BootMode, BootOptions, Persistence};
use crate::command::chassis::{ChassisStatus, Control};
use crate::command::device::DeviceId;
use crate::completion::CompletionCode;
use crate::error::{AuthRefusal, Error};
use crate::privilege::Privilege;
use crate::session::active::{ActiveSession, Answer};
use crate::suite::CipherSuite;

/// An open session. One command at a time: every command borrows the session mutably.
///
/// A BMC ends a session that was idle for about 60 seconds (IPMI v2.0 section 6.12.15); then commands end in
/// [`Error::Timeout`] and the session must be opened anew. Dropping a session sends Close Session without waiting;
/// [`Session::close`] waits for the answer.
pub struct Session {
    link: Link,
    active: ActiveSession,
    suite: CipherSuite,
    username: String,
    open: bool,
}

/// What to do when the answer to a command does not come. Some BMCs drop a packet they have seen (IPMI v2.0 section
/// 6.12.13), others, ipmi_sim among them, carry it out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resend {
    /// A read, or a write that may come late: the same datagram, then the same rqSeq in new packets, because a BMC that drops
    /// what it has seen answers nothing else when its first answer was lost.
    Anew,
    /// A write of a state, which may be carried out twice: the same datagram. Not in new packets: one that the network
    /// held back would still count after the next command.
    Same,
    /// A pulse, such as a reset, which must not be carried out twice: sent once.
    Never,
}

/// One command in words and numbers.
pub(super) struct Call<'a> {
    pub(super) attempted: &'a str,
    pub(super) id: CommandId,
    pub(super) data: &'a [u8],
    pub(super) resend: Resend,
}

/// The exchange of one command.
struct CommandDialogue<'a> {
    active: &'a mut ActiveSession,
    resend: Resend,
    sent: u32,
    /// The BMC takes what is sent for a duplicate and keeps its answer to itself.
    taken_for_duplicate: bool,
}

impl Dialogue for CommandDialogue<'_> {
    type Reply = Answer;

    fn datagram(&mut self, attempt: u32) -> Option<Vec<u8>> {
        match (self.resend, attempt) {
            (Resend::Never, 1..) => return None,
            (Resend::Anew, 1..) if self.taken_for_duplicate => self.active.renew(),
            (Resend::Anew, 2..) => self.active.rewrap(),
            _ => {}
        }
        self.sent += 1;
        Some(self.active.datagram().to_vec())
    }

    /// "Duplicated request" in answer to what was sent again says only that the first copy arrived; how that one ended
    /// is not known.
    fn receive(&mut self, datagram: &[u8]) -> Option<Answer> {
        let answer = self.active.receive(datagram)?;
        if self.sent > 1 && answer.completion == CompletionCode::DUPLICATE.0 {
            self.taken_for_duplicate = true;
            return None;
        }
        Some(answer)
    }
}

impl Session {
    pub(crate) fn new(
        link: Link,
        active: ActiveSession,
        suite: CipherSuite,
        username: String,
    ) -> Self {
        Self {
            link,
            active,
            suite,
            username,
            open: true,
        }
    }

    /// The suite the BMC took; remember it per BMC to save a refused offer next time.
    pub fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// The BMC's address.
    pub fn addr(&self) -> SocketAddr {
        self.link.addr()
    }

    /// The shortest time between two requests from now on, as [`Target::gap`](crate::Target::gap).
    pub fn set_gap(&mut self, gap: Duration) {
        self.link.set_gap(gap);
    }

    /// Set Session Privilege Level (section 22.18): sessions begin at user level. The session is closed on failure.
    pub(crate) async fn raise_privilege(mut self, privilege: Privilege) -> Result<Self, Error> {
        let outcome = self
            .command(Call {
                attempted: &format!("set session privilege level {privilege}"),
                id: CommandId::SET_PRIVILEGE,
                data: &[privilege.number()],
                resend: Resend::Anew,
            })
            .await;
        match outcome {
            Ok(_) => Ok(self),
            Err(error) => {
                if let Err(close) = self.close().await {
                    debug!(%close, "session could not be closed after a refused privilege level");
                }
                Err(error)
            }
        }
    }

    /// Get Device ID (section 20.1).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn device_id(&mut self) -> Result<DeviceId, Error> {
        let attempted = "get device id";
        let data = self.read(attempted, CommandId::DEVICE_ID, &[]).await?;
        DeviceId::decode(&data).ok_or_else(|| self.malformed(attempted, &data))
    }

    /// Get Chassis Status (section 28.2).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn chassis_status(&mut self) -> Result<ChassisStatus, Error> {
        let attempted = "get chassis status";
        let data = self.read(attempted, CommandId::CHASSIS_STATUS, &[]).await?;
        ChassisStatus::decode(&data).ok_or_else(|| self.malformed(attempted, &data))
    }

    /// Chassis Control (section 28.3). The answer says that the BMC took the command, not that the power has changed.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] leaves open whether the command was carried out: look before it is given again. Cycle and
    /// reset are sent once only, because some BMCs carry out repeated packets. [`Error::CompletionCode`] with 0xD5 is how BMCs refuse what the present power
    /// state does not allow. The rest as every command.
    pub async fn chassis_control(&mut self, control: Control) -> Result<(), Error> {
        let resend = match control {
            Control::On | Control::Off | Control::SoftOff => Resend::Same,
            Control::Cycle | Control::Reset => Resend::Never,
        };
        self.command(Call {
            attempted: &format!("chassis control {control}"),
            id: CommandId::CHASSIS_CONTROL,
            data: &[control.number()],
            resend,
        })
        .await
        .map(drop)
    }

    /// Sets the boot flags (section 28.12, parameter 5), so that they stay until a boot uses them.
    ///
    /// Two things around it are optional, because BMCs lack them: the set-in-progress bracket (parameter 0) and the
    /// order to keep the flags when no power command follows within 60 seconds (parameter 3). Some BMCs say yes and
    /// keep only a part: read [`Session::boot_options`] back and compare.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. [`Error::Unsupported`] where the BMC has no boot flags.
    pub async fn set_boot_device(
        &mut self,
        device: BootDevice,
        mode: BootMode,
        persistence: Persistence,
    ) -> Result<(), Error> {
        let flags = BootOptions::new(device, mode, persistence).raw;
        self.set_boot_flags(flags).await
    }

    /// Like [`Session::set_boot_device`], with the five data bytes of parameter 5 as the caller wants them; for
    /// firmware with selectors of its own.
    ///
    /// # Errors
    ///
    /// As [`Session::set_boot_device`].
    pub async fn set_boot_flags(&mut self, flags: [u8; 5]) -> Result<(), Error> {
        let bracket = self
            .try_boot_parameter(
                "begin boot options",
                &[boot::SET_IN_PROGRESS, 1],
                Resend::Same,
            )
            .await?;
        self.try_boot_parameter(
            "keep boot flags without power command",
            &[boot::FLAG_CLEARING, boot::KEEP_WITHOUT_CONTROL],
            // Always the same value, so that a packet that comes late changes nothing.
            Resend::Anew,
        )
        .await?;
        let [a, b, c, d, e] = flags;
        let outcome = self
            .boot_parameter(
                "set boot flags",
                &[boot::FLAGS, a, b, c, d, e],
                Resend::Same,
            )
            .await;
        if bracket {
            let end = self
                .try_boot_parameter(
                    "end boot options",
                    &[boot::SET_IN_PROGRESS, 0],
                    // What is under way is over, whenever it is said.
                    Resend::Anew,
                )
                .await;
            outcome.and(end.map(drop))
        } else {
            outcome
        }
    }

    /// The boot flags as the BMC has them (section 28.13, parameter 5).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. [`Error::Unsupported`] where the BMC has no boot flags.
    pub async fn boot_options(&mut self) -> Result<BootOptions, Error> {
        let attempted = "get boot flags";
        let data = self
            .read(attempted, CommandId::GET_BOOT_OPTIONS, &[boot::FLAGS, 0, 0])
            .await?;
        BootOptions::decode(&data).ok_or_else(|| self.malformed(attempted, &data))
    }

    /// Close Session (section 22.19), and waits until the BMC has confirmed it.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. The session is gone for the caller in any case; a BMC that did not hear of it
    /// ends it after about 60 seconds.
    pub async fn close(mut self) -> Result<(), Error> {
        let id = self.active.bmc_id().to_le_bytes();
        let outcome = self
            .command(Call {
                attempted: "close session",
                id: CommandId::CLOSE_SESSION,
                data: &id,
                resend: Resend::Same,
            })
            .await;
        self.open = false;
        match outcome {
            Err(Error::CompletionCode { code, .. }) if code == CompletionCode::NO_SUCH_SESSION => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    pub(super) async fn read(
        &mut self,
        attempted: &str,
        id: CommandId,
        data: &[u8],
    ) -> Result<Vec<u8>, Error> {
        self.command(Call {
            attempted,
            id,
            data,
            resend: Resend::Anew,
        })
        .await
    }

    async fn boot_parameter(
        &mut self,
        attempted: &str,
        data: &[u8],
        resend: Resend,
    ) -> Result<(), Error> {
        self.command(Call {
            attempted,
            id: CommandId::SET_BOOT_OPTIONS,
            data,
            resend,
        })
        .await
        .map(drop)
    }

    /// Sets a boot parameter that BMCs may lack; tells whether it was taken.
    async fn try_boot_parameter(
        &mut self,
        attempted: &str,
        data: &[u8],
        resend: Resend,
    ) -> Result<bool, Error> {
        match self.boot_parameter(attempted, data, resend).await {
            Ok(()) => Ok(true),
            Err(
                error @ (Error::Unsupported { .. }
                | Error::CompletionCode { .. }
                | Error::Busy { .. }),
            ) => {
                debug!(%error, "optional boot parameter skipped");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn command(&mut self, call: Call<'_>) -> Result<Vec<u8>, Error> {
        self.active.request(call.id, call.data);
        let mut dialogue = CommandDialogue {
            active: &mut self.active,
            resend: call.resend,
            sent: 0,
            taken_for_duplicate: false,
        };
        let answer = self.link.exchange(call.attempted, &mut dialogue).await?;
        let code = CompletionCode(answer.completion);
        if code.is_ok() {
            Ok(answer.data)
        } else {
            Err(self.refused(&call, code))
        }
    }

    fn refused(&self, call: &Call<'_>, code: CompletionCode) -> Error {
        let addr = self.addr();
        let attempted = call.attempted.to_owned();
        let boot_option = matches!(
            call.id,
            CommandId::SET_BOOT_OPTIONS | CommandId::GET_BOOT_OPTIONS
        );
        let privilege_level = call.id == CommandId::SET_PRIVILEGE
            && matches!(
                code,
                CompletionCode::PARAMETER_NOT_SUPPORTED | CompletionCode::EXCEEDS_PRIVILEGE_LIMIT
            );
        if code == CompletionCode::INSUFFICIENT_PRIVILEGE || privilege_level {
            Error::Auth {
                addr,
                attempted,
                username: self.username.clone(),
                refusal: AuthRefusal::Privilege(code),
            }
        } else if code.is_busy() {
            Error::Busy {
                addr,
                attempted,
                code,
            }
        } else if code.is_unsupported()
            || (boot_option && code == CompletionCode::PARAMETER_NOT_SUPPORTED)
        {
            Error::Unsupported {
                addr,
                attempted,
                code,
            }
        } else {
            Error::CompletionCode {
                addr,
                attempted,
                netfn: call.id.netfn,
                cmd: call.id.cmd,
                code,
            }
        }
    }

    pub(super) fn malformed(&self, attempted: &str, data: &[u8]) -> Error {
        Error::Protocol(format!(
            "BMC {}: {attempted}: the answer's {} bytes {data:02x?} do not have the form of IPMI v2.0",
            self.addr(),
            data.len(),
        ))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open {
            let id = self.active.bmc_id().to_le_bytes();
            self.active.request(CommandId::CLOSE_SESSION, &id);
            self.link.send_once(self.active.datagram());
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("addr", &self.addr())
            .field("suite", &self.suite)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
