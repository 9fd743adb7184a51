//! The port's implementation: check, then read the file or ask the server.

use async_trait::async_trait;
use drydock_model::reference::{ReferenceError, References};

use crate::allow::AllowList;
use crate::file;
use crate::host_map::HostMap;
use crate::location::Location;
use crate::settings::ReferenceSettings;
use crate::web::WebClient;

/// Fetches references within the operator's limits.
pub struct Fetcher {
    allow: AllowList,
    web: WebClient,
    max_bytes: u64,
}

impl Fetcher {
    /// A fetcher with these settings.
    ///
    /// # Errors
    /// A setting that cannot be understood, by its name.
    pub fn new(settings: ReferenceSettings) -> Result<Fetcher, ReferenceError> {
        let allow = AllowList::parse(&settings.allow_refs)?;
        let map = HostMap::parse(&settings.map)?;
        let max_bytes = settings.max_bytes;
        let web = WebClient::new(settings, map)?;
        Ok(Fetcher {
            allow,
            web,
            max_bytes,
        })
    }
}

#[async_trait]
impl References for Fetcher {
    fn check(&self, uri: &str) -> Result<(), ReferenceError> {
        let location = Location::parse(uri)?;
        self.allow.check(&location)?;
        self.web.check(&location)
    }

    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, ReferenceError> {
        let location = Location::parse(uri)?;
        self.allow.check(&location)?;
        match location {
            Location::File(path) => file::read(&self.allow, &path, self.max_bytes).await,
            Location::Web { service, url } => self.web.get(&self.allow, service, url).await,
        }
    }
}
