//! What a machine says of itself: FRU inventory, event log, network settings, sessions.

use tracing::debug;

use crate::client::session::Session;
use crate::command::CommandId;
use crate::command::fru::{AreaInfo, FruInventory};
use crate::command::lan::{
    self, AddressSource, LanConfiguration, PRESENT_CHANNEL, SessionInfo, parameter,
};
use crate::command::sel::{FIRST, LAST, SelEntry, SelInfo};
use crate::completion::CompletionCode;
use crate::error::Error;

/// How many bytes of a FRU inventory or a sensor data record are asked for at once. BMCs may refuse more than 16 or so;
/// then it is halved.
pub(super) const PIECE: u8 = 32;
/// Record ids that may be missing in a row before the log is walked from its beginning.
const GAP: u32 = 16;
/// More records than any log has: the end of a walk through one that leads in a circle.
const LONGEST_LOG: usize = 0x1_0000;

/// The code of a refusal, where the BMC answered with one.
pub(super) fn refusal(error: &Error) -> Option<CompletionCode> {
    match error {
        Error::CompletionCode { code, .. }
        | Error::Unsupported { code, .. }
        | Error::Busy { code, .. } => Some(*code),
        _ => None,
    }
}

/// Whether the BMC wants to be asked for fewer bytes: there is no one code for it.
pub(super) fn wants_less(code: CompletionCode) -> bool {
    [
        CompletionCode::CANNOT_RETURN,
        CompletionCode::INVALID_LENGTH,
        CompletionCode::TOO_LONG,
        CompletionCode(0xff),
    ]
    .contains(&code)
}

impl Session {
    /// The inventory of a FRU device (sections 34.1 and 34.2); device 0 is the machine itself.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. [`Error::CompletionCode`] with 0xCB where there is no such device;
    /// [`Error::Protocol`] where its bytes are no FRU inventory. A damaged area is no error: see
    /// [`FruInventory::damaged`].
    pub async fn fru(&mut self, device: u8) -> Result<FruInventory, Error> {
        let bytes = self.fru_bytes(device).await?;
        FruInventory::decode(&bytes).ok_or_else(|| {
            let begin = bytes.get(..8).unwrap_or(&bytes);
            self.malformed(&format!("read the inventory of FRU {device}"), begin)
        })
    }

    /// The bytes of a FRU device, as they are.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn fru_bytes(&mut self, device: u8) -> Result<Vec<u8>, Error> {
        let attempted = format!("get the size of FRU {device}");
        let data = self
            .read(&attempted, CommandId::FRU_AREA_INFO, &[device])
            .await?;
        let info = AreaInfo::decode(&data).ok_or_else(|| self.malformed(&attempted, &data))?;
        let attempted = format!("read FRU {device}");
        let (unit, mut piece) = (if info.words { 2u16 } else { 1 }, PIECE);
        let mut bytes: Vec<u8> = Vec::new();
        // Sizes are of 16 bits, so offsets are too.
        while let Ok(at) = u16::try_from(bytes.len())
            && at < info.size
        {
            let wanted = u16::from(piece).min(info.size - at).div_ceil(unit);
            let [low, high] = (at / unit).to_le_bytes();
            let count = u8::try_from(wanted).unwrap_or(PIECE);
            let answer = self
                .read(&attempted, CommandId::READ_FRU, &[device, low, high, count])
                .await;
            match answer {
                Ok(data) => {
                    let part =
                        read_part(&data, unit).ok_or_else(|| self.malformed(&attempted, &data))?;
                    bytes.extend_from_slice(part);
                }
                // Several BMCs tell a larger size than they have.
                Err(error) if piece == 2 && at > 0 && refusal(&error).is_some() => {
                    debug!(%error, at, size = info.size, "FRU device ends early");
                    break;
                }
                Err(error) if piece > 2 && refusal(&error).is_some_and(wants_less) => piece /= 2,
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(usize::from(info.size));
        Ok(bytes)
    }

    /// Get SEL Info (section 31.2).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn sel_info(&mut self) -> Result<SelInfo, Error> {
        let attempted = "get event log info";
        let data = self.read(attempted, CommandId::SEL_INFO, &[]).await?;
        SelInfo::decode(&data).ok_or_else(|| self.malformed(attempted, &data))
    }

    /// Get SEL Time (section 31.10): the clock of the event log, in seconds since 1970, of local time where the BMC is set so.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn sel_time(&mut self) -> Result<u32, Error> {
        let attempted = "get event log time";
        let data = self.read(attempted, CommandId::SEL_TIME, &[]).await?;
        let time = data.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        time.ok_or_else(|| self.malformed(attempted, &data))
    }

    /// The newest `count` records of the event log, oldest first (section 31.5). Reads only, and so reserves nothing.
    ///
    /// Records point to the next one and not back: ids are tried downwards from the newest. A log whose ids have larger
    /// gaps is walked from its beginning.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn sel_tail(&mut self, count: usize) -> Result<Vec<SelEntry>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let Some((_, newest)) = self.sel_entry(LAST).await? else {
            return Ok(Vec::new());
        };
        let mut missing = 0;
        let mut id = newest.id;
        let mut tail = vec![newest];
        while tail.len() < count && id > 1 {
            id -= 1;
            match self.sel_entry(id).await? {
                Some((_, entry)) if entry.id == id => {
                    tail.push(entry);
                    missing = 0;
                }
                // Some BMCs answer with another record where there is none with this id.
                _ => missing += 1,
            }
            if missing > GAP {
                return self.sel_walk(count).await;
            }
        }
        tail.reverse();
        Ok(tail)
    }

    async fn sel_walk(&mut self, count: usize) -> Result<Vec<SelEntry>, Error> {
        let mut tail = std::collections::VecDeque::new();
        let mut id = FIRST;
        for _ in 0..LONGEST_LOG {
            let Some((next, entry)) = self.sel_entry(id).await? else {
                break;
            };
            if tail.len() == count {
                tail.pop_front();
            }
            tail.push_back(entry);
            if next == LAST || next == id {
                break;
            }
            id = next;
        }
        Ok(tail.into())
    }

    /// A record and the id of the next; `None` where there is none with this id.
    async fn sel_entry(&mut self, id: u16) -> Result<Option<(u16, SelEntry)>, Error> {
        let attempted = format!("get event log entry {id:#06x}");
        let [low, high] = id.to_le_bytes();
        // No reservation, the whole record.
        let request = [0, 0, low, high, 0, 0xff];
        match self.read(&attempted, CommandId::SEL_ENTRY, &request).await {
            Ok(data) => SelEntry::decode_response(&data)
                .map(Some)
                .ok_or_else(|| self.malformed(&attempted, &data)),
            Err(error) if refusal(&error) == Some(CompletionCode::NOT_PRESENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The BMC's own network settings, of the channel that this session uses (section 23.2).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. A parameter that the BMC does not have is no error.
    pub async fn lan_configuration(&mut self) -> Result<LanConfiguration, Error> {
        let mut out = LanConfiguration::default();
        let found = |data: Option<Vec<u8>>| data.unwrap_or_default();
        out.address = lan::address(&found(self.lan_parameter(parameter::ADDRESS).await?));
        out.source = found(self.lan_parameter(parameter::SOURCE).await?)
            .first()
            .map(|number| AddressSource::from_number(*number));
        out.mac = found(self.lan_parameter(parameter::MAC).await?)
            .first_chunk()
            .copied();
        out.mask = lan::address(&found(self.lan_parameter(parameter::MASK).await?));
        out.gateway = lan::address(&found(self.lan_parameter(parameter::GATEWAY).await?));
        out.vlan = lan::vlan(&found(self.lan_parameter(parameter::VLAN).await?));
        Ok(out)
    }

    /// Data of a parameter behind the revision byte; `None` where the BMC does not have it.
    async fn lan_parameter(&mut self, number: u8) -> Result<Option<Vec<u8>>, Error> {
        let attempted = format!("get LAN configuration parameter {number}");
        let request = [PRESENT_CHANNEL, number, 0, 0];
        let answer = self
            .read(&attempted, CommandId::LAN_PARAMETER, &request)
            .await;
        match answer {
            Ok(data) => Ok(data.get(1..).map(<[u8]>::to_vec)),
            Err(error) => match refusal(&error) {
                Some(code)
                    if code == CompletionCode::PARAMETER_NOT_SUPPORTED
                        || code == CompletionCode::INVALID_FIELD
                        || code == CompletionCode::OUT_OF_RANGE =>
                {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// Get Session Info of this session (section 22.20).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn session_info(&mut self) -> Result<SessionInfo, Error> {
        let attempted = "get session info";
        let data = self.read(attempted, CommandId::SESSION_INFO, &[0]).await?;
        SessionInfo::decode(&data).ok_or_else(|| self.malformed(attempted, &data))
    }
}

/// The bytes in an answer to Read FRU Data: their count in units, and they themselves. `None` where nothing came: the
/// reading would never end.
fn read_part(data: &[u8], unit: u16) -> Option<&[u8]> {
    let (count, bytes) = data.split_first()?;
    let len = usize::from(*count) * usize::from(unit);
    bytes.get(..len).filter(|part| !part.is_empty())
}
