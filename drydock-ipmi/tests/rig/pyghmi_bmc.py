# A machine behind pyghmi's BMC: python3 pyghmi_bmc.py ADDRESS PORT USER PASSWORD
# Tells on standard output what is done to the machine, one line each.

import sys

from pyghmi.ipmi.bmc import Bmc


class Machine(Bmc):
    power = "off"
    device = "default"

    def tell(self, what):
        print(what, flush=True)

    def get_power_state(self):
        return self.power

    def power_on(self):
        self.power = "on"
        self.tell("power on")

    def power_off(self):
        self.power = "off"
        self.tell("power off")

    def power_reset(self):
        self.tell("power reset")

    def get_boot_device(self):
        return self.device

    def set_boot_device(self, device):
        self.device = device
        self.tell("boot " + device)


address, port, user, password = sys.argv[1:]
machine = Machine({user: password}, port=int(port), address=address)
machine.tell("up")
machine.listen()
