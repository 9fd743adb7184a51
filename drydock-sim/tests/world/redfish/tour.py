# What a client written by others makes of a service: python3 tour.py URL USER PASSWORD [CERTIFICATE]
# Prints what it finds and what it did, as one JSON object.

import json
import sys

import sushy
from sushy import auth

url, user, password, *rest = sys.argv[1:]
told = {}
login = auth.SessionOrBasicAuth(user, password)
root = sushy.Sushy(url, auth=login, verify=rest[0] if rest else False)
told["session"] = login.can_refresh_session()

system = root.get_system_collection().get_members()[-1]
told["power"] = system.power_state.value
told["serial"] = system.serial_number
told["macs"] = sorted(system.ethernet_interfaces.summary)

system.set_system_boot_options(
    target=sushy.BOOT_SOURCE_TARGET_PXE,
    enabled=sushy.BOOT_SOURCE_ENABLED_ONCE,
    mode=sushy.BOOT_SOURCE_MODE_UEFI,
)
system.refresh()
told["boot"] = [
    system.boot.target.value,
    system.boot.enabled.value,
    system.boot.mode.value,
]

media = system.managers[0].virtual_media.get_members()[0]
media.insert_media("http://127.0.0.1/boot.iso")
media.refresh()
told["inserted"] = media.inserted
media.eject_media()
media.refresh()
told["ejected"] = not media.inserted

told["supplies"] = [
    supply.status.health.value for supply in system.chassis[0].power.power_supplies
]
told["firmware"] = [
    item.version
    for item in root.get_update_service().firmware_inventory.get_members()
]

system.reset_system(sushy.RESET_ON)
login.close()
print(json.dumps(told))
