//! The credentials of the MaaS API, with the answers recorded from real servers.

use super::site::Site;
use drydock_sim::{Faults, MaasFault};

const WHOAMI: &str = "users/?op=whoami";

async fn with_header(site: &Site, path: &str, header: Option<&str>) -> super::site::Said {
    let url = format!("{}/api/2.0/{path}", site.maas.base);
    let mut request = site.maas.client.get(url);
    if let Some(header) = header {
        request = request.header("Authorization", header);
    }
    site.maas.send(request).await
}

#[tokio::test]
async fn headers_are_judged_as_by_the_real_server() {
    let site = Site::start(10, 0, Faults::default()).await;
    let now = chrono::Utc::now().timestamp();
    let good = |nonce: &str, at: i64| site.maas.header(nonce, at, None);
    let cases = [
        (
            "wrong secret",
            site.maas.header("a", now, Some("nope")),
            401,
            "Expected signature base string: &",
        ),
        ("late", good("b", now - 400), 401, "Expired timestamp"),
        ("a little late", good("c", now - 200), 200, "admin"),
        ("future", good("d", now + 86_400), 200, "admin"),
        ("first use", good("e", now), 200, "admin"),
        ("second use", good("e", now), 401, "Nonce already used: e"),
        (
            "lower case scheme",
            good("f", now).replace("OAuth ", "oauth "),
            401,
            "Authorization Error",
        ),
        (
            "no nonce",
            good("g", now).replace("oauth_nonce", "x"),
            401,
            "oauth_nonce",
        ),
        (
            "no timestamp",
            good("h", now).replace("oauth_timestamp", "x"),
            401,
            "oauth_timestamp",
        ),
        (
            "raw ampersand",
            good("i", now).replace("%26", "&"),
            200,
            "admin",
        ),
        ("no blanks", good("j", now).replace(", ", ","), 200, "admin"),
        (
            "wrong token",
            good("k", now).replace("oauth_token=\"", "oauth_token=\"x"),
            401,
            "Invalid access token",
        ),
        (
            "wrong key",
            good("l", now).replace("oauth_consumer_key=\"", "oauth_consumer_key=\"x"),
            401,
            "Invalid API key.",
        ),
    ];
    for (case, header, status, text) in cases {
        let said = with_header(&site, WHOAMI, Some(&header)).await;
        assert_eq!(said.status, status, "{case}: {said:?}");
        assert!(said.text.contains(text), "{case}: {said:?}");
    }
    site.world.stop().await;
}

#[tokio::test]
async fn without_credentials() {
    let site = Site::start(11, 0, Faults::default()).await;
    assert_eq!(with_header(&site, "version/", None).await.status, 200);
    let said = with_header(&site, "machines/", None).await;
    assert_eq!(said.status, 400);
    assert_eq!(said.text, "Unrecognised signature: method=GET op=None");
    assert_eq!(with_header(&site, WHOAMI, None).await.status, 401);
}

#[tokio::test]
async fn paths_and_operations_are_strict() {
    let site = Site::start(12, 0, Faults::default()).await;
    let said = site.maas.get("machines").await;
    assert_eq!(said.status, 404);
    assert_eq!(said.text, "Unknown API endpoint: /MAAS/api/2.0/machines.");
    let said = site.maas.get("machines/?op=nope").await;
    assert_eq!(said.status, 400);
    assert_eq!(said.text, "Unrecognised signature: method=GET op=nope");
    let said = site.maas.get("machines/zzzzzz/").await;
    assert_eq!(
        (said.status, said.text.as_str()),
        (404, "No Machine matches the given query.")
    );
    let said = site
        .maas
        .post("machines/", &[("op", "allocate"), ("system_id", "zzzzzz")])
        .await;
    assert_eq!(said.status, 409);
    assert_eq!(said.text, "No machine with system ID zzzzzz available.");
    assert_eq!(site.maas.get("nothing/").await.status, 404);
}

/// The nonce of a request that ended in 503 is used up; that of a 500 was rolled back.
#[tokio::test]
async fn a_nonce_survives_only_a_500() {
    for (status, again) in [(500, 200), (503, 401)] {
        let faults = Faults {
            maas: vec![MaasFault {
                remaining: Some(1),
                status: Some(status),
                ..MaasFault::default()
            }],
            ..Faults::default()
        };
        let site = Site::start(13, 0, faults).await;
        let header = site.maas.signed();
        assert_eq!(
            with_header(&site, WHOAMI, Some(&header)).await.status,
            status
        );
        assert_eq!(
            with_header(&site, WHOAMI, Some(&header)).await.status,
            again
        );
        site.world.stop().await;
    }
}
