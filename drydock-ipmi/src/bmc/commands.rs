//! What the BMC does with a command (IPMI v2.0 chapters 20, 22 and 28).

use crate::bmc::{Bmc, Faults, Incoming, Outcome, inventory};
use crate::command::CommandId;
use crate::command::boot;
use crate::command::channel;
use crate::command::chassis::{ChassisStatus, Control};
use crate::completion::CompletionCode;
use crate::privilege::Privilege;

/// Version of the boot option parameters, first byte of every answer (section 28.13).
const PARAMETER_VERSION: u8 = 0x01;

/// The level a command needs (IPMI v2.0 table G-1); `None` for commands the BMC does not have.
fn needed_privilege(id: CommandId) -> Option<Privilege> {
    match id {
        CommandId::CHANNEL_AUTH_CAPABILITIES
        | CommandId::CHANNEL_CIPHER_SUITES
        | CommandId::CLOSE_SESSION => Some(Privilege::Callback),
        CommandId::SET_PRIVILEGE | CommandId::DEVICE_ID | CommandId::CHASSIS_STATUS => {
            Some(Privilege::User)
        }
        CommandId::CHASSIS_CONTROL | CommandId::SET_BOOT_OPTIONS | CommandId::GET_BOOT_OPTIONS => {
            Some(Privilege::Operator)
        }
        _ => inventory::needed_privilege(id),
    }
}

impl Bmc {
    pub(super) fn command(&mut self, incoming: &Incoming<'_>) -> Outcome {
        let request = &incoming.request;
        if request.lun != 0 {
            return Err(CompletionCode::INVALID_FOR_LUN);
        }
        let id = CommandId::new(request.netfn, request.cmd);
        let needed = needed_privilege(id).ok_or(CompletionCode::INVALID_COMMAND)?;
        let session = self
            .slots
            .active(incoming.session)
            .ok_or(CompletionCode::NO_SUCH_SESSION)?;
        if session.privilege < needed {
            return Err(CompletionCode::INSUFFICIENT_PRIVILEGE);
        }
        if self.puts_off(id) {
            return Err(CompletionCode::NODE_BUSY);
        }
        match id {
            CommandId::DEVICE_ID => Ok(self.device_id()),
            CommandId::SET_PRIVILEGE => self.set_privilege(incoming),
            CommandId::CLOSE_SESSION => self.close_session(incoming),
            CommandId::CHASSIS_STATUS => {
                let status = ChassisStatus::from_power(self.chassis.power_on());
                Ok(status.encode().to_vec())
            }
            CommandId::CHASSIS_CONTROL => {
                let [number] = *request.data else {
                    return Err(CompletionCode::INVALID_LENGTH);
                };
                let control =
                    Control::from_number(number & 0x0f).ok_or(CompletionCode::INVALID_FIELD)?;
                self.chassis.control(control).map_err(CompletionCode)?;
                Ok(Vec::new())
            }
            CommandId::SET_BOOT_OPTIONS => self.set_boot_option(request.data),
            CommandId::GET_BOOT_OPTIONS => self.get_boot_option(request.data),
            CommandId::CHANNEL_AUTH_CAPABILITIES | CommandId::CHANNEL_CIPHER_SUITES => {
                self.channel_command(id, request.data)
            }
            _ => {
                let inventory = self
                    .chassis
                    .inventory()
                    .ok_or(CompletionCode::INVALID_COMMAND)?;
                if id == CommandId::SESSION_INFO {
                    return self.session_info(incoming);
                }
                self.inventory_command(id, request.data, &inventory)
            }
        }
    }

    /// Whether this command hits the fault "busy". Closing a session is never put off.
    fn puts_off(&mut self, id: CommandId) -> bool {
        if id == CommandId::CLOSE_SESSION || self.busy_every.is_none() {
            return false;
        }
        self.commands = self.commands.wrapping_add(1);
        Faults::hits(self.busy_every, self.commands)
    }

    /// Section 22.20; only about the session that asks.
    fn session_info(&mut self, incoming: &Incoming<'_>) -> Outcome {
        if incoming.request.data != [0] {
            return Err(CompletionCode::NOT_PRESENT);
        }
        let number = |count: usize| u8::try_from(count).unwrap_or(0x3f).min(0x3f);
        let (possible, active) = (number(self.config.slots), number(self.slots.len()));
        let session = self
            .slots
            .active(incoming.session)
            .ok_or(CompletionCode::NO_SUCH_SESSION)?;
        // Handle 1, user 2 (user 1 is the anonymous one), IPMI v2.0 RMCP+ on channel 1.
        Ok(vec![
            1,
            possible,
            active,
            2,
            session.privilege.number(),
            0x11,
        ])
    }

    /// The commands about the channel, which need no session.
    pub(super) fn channel_command(&self, id: CommandId, data: &[u8]) -> Outcome {
        match (id, data) {
            (CommandId::CHANNEL_AUTH_CAPABILITIES, [_, _]) => {
                let response = channel::capabilities_response(
                    channel::wants_v20(data),
                    self.config.kg.is_some(),
                );
                Ok(response.to_vec())
            }
            (CommandId::CHANNEL_CIPHER_SUITES, [_, _, list_index]) => Ok(
                channel::cipher_suites_response(&self.config.suites, *list_index),
            ),
            (CommandId::CHANNEL_AUTH_CAPABILITIES | CommandId::CHANNEL_CIPHER_SUITES, _) => {
                Err(CompletionCode::INVALID_LENGTH)
            }
            _ => Err(CompletionCode::INVALID_COMMAND),
        }
    }

    fn device_id(&self) -> Vec<u8> {
        let mut id = self.chassis.device_id();
        if self.config.quirks.short_device_id {
            id.auxiliary.clear();
        }
        id.encode()
    }

    /// Section 22.18; level 0 asks for the present one.
    fn set_privilege(&mut self, incoming: &Incoming<'_>) -> Outcome {
        let [wanted] = *incoming.request.data else {
            return Err(CompletionCode::INVALID_LENGTH);
        };
        let session = self
            .slots
            .active(incoming.session)
            .ok_or(CompletionCode::NO_SUCH_SESSION)?;
        if wanted != 0 {
            let level =
                Privilege::from_number(wanted & 0x0f).ok_or(CompletionCode::INVALID_FIELD)?;
            if level > session.limit {
                return Err(CompletionCode::EXCEEDS_PRIVILEGE_LIMIT);
            }
            session.privilege = level;
        }
        Ok(vec![session.privilege.number()])
    }

    /// Section 22.19. An administrator may close the session of another console.
    fn close_session(&mut self, incoming: &Incoming<'_>) -> Outcome {
        let Some((id, _)) = incoming.request.data.split_first_chunk::<4>() else {
            return Err(CompletionCode::INVALID_LENGTH);
        };
        let id = u32::from_le_bytes(*id);
        let session = self
            .slots
            .active(incoming.session)
            .ok_or(CompletionCode::NO_SUCH_SESSION)?;
        if id == incoming.session {
            session.close();
        } else if session.privilege < Privilege::Administrator {
            return Err(CompletionCode::INSUFFICIENT_PRIVILEGE);
        } else {
            self.slots
                .remove(id)
                .ok_or(CompletionCode::NO_SUCH_SESSION)?;
            self.counters.add_closed();
        }
        Ok(Vec::new())
    }

    /// Section 28.12. Bit 7 of the parameter would lock it and is not kept.
    fn set_boot_option(&mut self, data: &[u8]) -> Outcome {
        let (parameter, values) = data.split_first().ok_or(CompletionCode::INVALID_LENGTH)?;
        let quirks = self.config.quirks;
        match (parameter & 0x7f, values) {
            (boot::SET_IN_PROGRESS, [value]) if !quirks.no_set_in_progress => {
                if value & 0x03 == 0x03 {
                    return Err(CompletionCode::OUT_OF_RANGE);
                }
                // "Commit write" (2) goes back to "complete": there is nothing to roll back.
                self.set_in_progress = value & 0x01;
            }
            (boot::FLAG_CLEARING, [value]) if !quirks.no_flag_clearing => {
                self.flag_clearing = value & 0x1f;
            }
            (boot::ACKNOWLEDGE, [mask, value]) => {
                self.acknowledge = self.acknowledge & !mask | value & mask;
            }
            (boot::FLAGS, [a, b, c, d, e]) => {
                let flags = if quirks.keeps_only_boot_device {
                    [a & 0x80, *b, 0, 0, 0]
                } else {
                    [*a, *b, *c, *d, *e]
                };
                self.chassis.set_boot_flags(flags).map_err(CompletionCode)?;
            }
            (boot::FLAGS | boot::ACKNOWLEDGE, _) => return Err(CompletionCode::INVALID_LENGTH),
            (boot::SET_IN_PROGRESS, _) if !quirks.no_set_in_progress => {
                return Err(CompletionCode::INVALID_LENGTH);
            }
            (boot::FLAG_CLEARING, _) if !quirks.no_flag_clearing => {
                return Err(CompletionCode::INVALID_LENGTH);
            }
            _ => return Err(CompletionCode::PARAMETER_NOT_SUPPORTED),
        }
        Ok(Vec::new())
    }

    /// Section 28.13.
    fn get_boot_option(&self, data: &[u8]) -> Outcome {
        let [parameter, _set, _block] = *data else {
            return Err(CompletionCode::INVALID_LENGTH);
        };
        let parameter = parameter & 0x7f;
        let quirks = self.config.quirks;
        let mut answer = vec![PARAMETER_VERSION, parameter];
        match parameter {
            boot::SET_IN_PROGRESS if !quirks.no_set_in_progress => {
                answer.push(self.set_in_progress);
            }
            boot::FLAG_CLEARING if !quirks.no_flag_clearing => answer.push(self.flag_clearing),
            boot::ACKNOWLEDGE => answer.extend_from_slice(&[0, self.acknowledge]),
            boot::FLAGS => answer.extend_from_slice(&self.chassis.boot_flags()),
            _ => return Err(CompletionCode::PARAMETER_NOT_SUPPORTED),
        }
        Ok(answer)
    }
}
