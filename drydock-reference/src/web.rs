//! Web references: one GET with its redirects, retried while the failure may pass.

use drydock_model::reference::{ReferenceError, ReferenceFault};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::allow::AllowList;
use crate::host_map::HostMap;
use crate::http::{Http, body, may_pass, retry_after, unanswered};
use crate::keystone::{Keystone, Token};
use crate::location::{Location, Service};
use crate::retry::{Attempts, Failure};
use crate::settings::ReferenceSettings;

/// Enough for a moved host and a moved path, twice; a loop ends here.
const MAX_REDIRECTS: usize = 5;

/// The HTTP side of a [`Fetcher`](crate::Fetcher).
pub(crate) struct WebClient {
    settings: ReferenceSettings,
    http: Http,
    keystone: Option<Keystone>,
}

/// One reference while it is fetched.
struct Visit<'a> {
    allow: &'a AllowList,
    service: Service,
    start: Url,
    /// A token was refused and another one fetched: at most once for a reference.
    renewed: bool,
}

/// What one GET came to.
enum Answer {
    Bytes(Vec<u8>),
    Redirect(Url),
}

impl WebClient {
    /// A client with these settings.
    ///
    /// # Errors
    /// A setting of Keystone that cannot be used, or a set-up that fails.
    pub(crate) fn new(
        settings: ReferenceSettings,
        map: HostMap,
    ) -> Result<WebClient, ReferenceError> {
        let keystone = match &settings.keystone {
            None => None,
            Some(keystone) => Some(Keystone::new(keystone.clone(), &settings, map.clone())?),
        };
        Ok(WebClient {
            http: Http::new(&settings, map, Vec::new())?,
            keystone,
            settings,
        })
    }

    /// Whether there is a Keystone, if the reference needs one.
    ///
    /// # Errors
    /// The settings to make.
    pub(crate) fn check(&self, location: &Location) -> Result<(), ReferenceError> {
        match location {
            Location::Web { service, .. } if service.takes_token() => {
                self.keystone(location).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The bytes behind a URL that has passed the allow list.
    ///
    /// # Errors
    /// As the port says.
    pub(crate) async fn get(
        &self,
        allow: &AllowList,
        service: Service,
        url: Url,
    ) -> Result<Vec<u8>, ReferenceError> {
        let location = Location::Web {
            service,
            url: url.clone(),
        };
        let mut visit = Visit {
            allow,
            service,
            start: url,
            renewed: false,
        };
        let mut attempts = Attempts::new(&self.settings, &location);
        loop {
            if let Some(bytes) = attempts.attempt(self.follow(&mut visit)).await? {
                return Ok(bytes);
            }
        }
    }

    async fn follow(&self, visit: &mut Visit<'_>) -> Result<Vec<u8>, Failure> {
        let mut url = visit.start.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self.get_once(visit, &url).await? {
                Answer::Bytes(bytes) => return Ok(bytes),
                Answer::Redirect(target) => url = visit.redirected(&url, target)?,
            }
        }
        let message = format!(
            "{} redirects more than {MAX_REDIRECTS} times; name the last place itself",
            visit.location(&visit.start)
        );
        Err(ReferenceError::new(ReferenceFault::Refused, message).into())
    }

    async fn get_once(&self, visit: &mut Visit<'_>, url: &Url) -> Result<Answer, Failure> {
        let location = visit.location(url);
        let mut token = self.token_for(visit, url, &location).await?;
        let mut response = self.send(url, token.as_ref(), &location).await?;
        if let (Some(refused), Some(keystone)) = (&token, &self.keystone)
            && response.status() == StatusCode::UNAUTHORIZED
            && !visit.renewed
        {
            visit.renewed = true;
            keystone.refused(refused).await;
            token = self.token_for(visit, url, &location).await?;
            response = self.send(url, token.as_ref(), &location).await?;
        }
        let status = response.status();
        if status.is_success() {
            let bytes = body(response, self.settings.max_bytes, &location).await?;
            return Ok(Answer::Bytes(bytes));
        }
        match redirect_target(url, &response) {
            Some(target) => Ok(Answer::Redirect(target)),
            None => Err(refusal(
                &location,
                status,
                response.headers(),
                token.is_some(),
            )),
        }
    }

    /// The token for a request to this URL: only for a service behind Keystone, and only where the reference itself
    /// points, not where it is redirected to.
    async fn token_for(
        &self,
        visit: &Visit<'_>,
        url: &Url,
        location: &Location,
    ) -> Result<Option<Token>, Failure> {
        if !visit.service.takes_token() || url.origin() != visit.start.origin() {
            return Ok(None);
        }
        let wanted = |mut failure: Failure| {
            failure.error.message = format!("{location} needs a token: {}", failure.error.message);
            failure
        };
        let token = self.keystone(location)?.token().await.map_err(wanted)?;
        Ok(Some(token))
    }

    fn keystone(&self, location: &Location) -> Result<&Keystone, ReferenceError> {
        self.keystone.as_ref().ok_or_else(|| {
            let message = format!(
                "{location} needs a token and references.keystone.auth_url is not set; set it with username, password \
                 and project beside it, or name the place by http(s): if it needs none"
            );
            ReferenceError::new(ReferenceFault::Refused, message)
        })
    }

    async fn send(
        &self,
        url: &Url,
        token: Option<&Token>,
        location: &Location,
    ) -> Result<Response, Failure> {
        let mut request = self.http.request(Method::GET, url, location)?;
        if let Some(token) = token {
            request = request.header("X-Auth-Token", token.header());
        }
        request
            .send()
            .await
            .map_err(|error| unanswered(error, location))
    }
}

impl Visit<'_> {
    fn location(&self, url: &Url) -> Location {
        Location::Web {
            service: self.service,
            url: url.clone(),
        }
    }

    /// Where a redirect leads, if that is allowed. The user info is the reference's own, and only where that was meant to
    /// go.
    fn redirected(&self, from: &Url, mut target: Url) -> Result<Url, ReferenceError> {
        let (user, password) = if target.origin() == self.start.origin() {
            (self.start.username(), self.start.password())
        } else {
            ("", None)
        };
        // Both fail only on URLs without a host, which the allow list refuses.
        let _ = target.set_username(user);
        let _ = target.set_password(password);
        self.allow
            .check(&self.location(&target))
            .map_err(|refused| {
                let from = self.location(from);
                let message = format!("{from} redirects elsewhere: {}", refused.message);
                ReferenceError::new(refused.fault, message)
            })?;
        Ok(target)
    }
}

fn redirect_target(url: &Url, response: &Response) -> Option<Url> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let target = response.headers().get(LOCATION)?.to_str().ok()?;
    let target = url.join(target).ok()?;
    matches!(target.scheme(), "http" | "https").then_some(target)
}

fn refusal(
    location: &Location,
    status: StatusCode,
    headers: &HeaderMap,
    by_token: bool,
) -> Failure {
    let (fault, next) = match status.as_u16() {
        _ if may_pass(status) => (
            ReferenceFault::Unavailable,
            "try again when the server is well",
        ),
        404 | 410 => (ReferenceFault::NotFound, "check the path"),
        401 | 403 if by_token => (
            ReferenceFault::Refused,
            "it does not take the token that Keystone gave; check the roles of the user and project of \
             references.keystone",
        ),
        401 | 403 => (
            ReferenceFault::Refused,
            "check the user name and password in the reference",
        ),
        300..=399 => (
            ReferenceFault::Refused,
            "it redirects to nothing that can be followed; name the place itself",
        ),
        _ => (ReferenceFault::Refused, "ask the server's operator"),
    };
    Failure {
        error: ReferenceError::new(fault, format!("{location} answered {status}; {next}")),
        retry_after: retry_after(headers),
    }
}
