//! `drydock node`

use anyhow::Result;
use serde_json::Value;

use crate::args::NodeCommand;
use crate::client::Client;
use crate::exit::Exit;
use crate::print;

/// Runs it.
pub async fn run(client: &Client, command: NodeCommand) -> Result<Exit> {
    let NodeCommand::List { output } = command;
    let nodes = client.get("/nodes").await?;
    print::value(output, &nodes, people)?;
    Ok(Exit::Done)
}

fn people(nodes: &Value) -> String {
    let mut table = print::table(&[
        "node",
        "status",
        "power",
        "cpus",
        "memory MiB",
        "boot MAC",
        "boot address",
        "BMC address",
    ]);
    for node in nodes.as_array().into_iter().flatten() {
        let keys = [
            "hostname",
            "status_name",
            "power_state",
            "cpu_count",
            "memory",
            "boot_mac",
            "boot_ip",
            "power_address",
        ];
        table.add_row(keys.map(|key| print::text(&node[key])));
    }
    table.to_string()
}
