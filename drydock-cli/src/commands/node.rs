//! `drydock node`

use anyhow::Result;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::args::NodeCommand;
use crate::client::Client;
use crate::commands::journal;
use crate::exit::Exit;
use crate::print;

/// Runs it.
pub async fn run(client: &Client, command: NodeCommand) -> Result<Exit> {
    match command {
        NodeCommand::List { output } => {
            let nodes = client.get("/nodes").await?;
            print::value(output, &nodes, people)?;
        }
        NodeCommand::History {
            name,
            limit,
            output,
        } => {
            let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let entries = client
                .get(&format!("/nodes/{name}/history?limit={limit}"))
                .await?;
            print::value(output, &entries, |entries| journal::people(entries, false))?;
        }
    }
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
