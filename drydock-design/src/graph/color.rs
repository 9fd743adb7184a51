//! Colours of networks.

/// The colour of the network at this index, as `#rrggbb`. Neighbours lie a golden angle of hue apart, so that any number of them stay
/// distinct; the lightness is readable on white and on black.
pub(super) fn of_network(index: usize) -> String {
    // 137.508 degrees, in thousandths; 360000 is the whole circle.
    let hue = (index as u64 * 137_508 + 215_000) % 360_000;
    let lightness = if index.is_multiple_of(2) { 48 } else { 56 };
    let [r, g, b] = rgb(hue as f64 / 1000.0, 0.62, f64::from(lightness) / 100.0);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Hue in degrees, saturation and lightness as shares of 1 (CSS Color Module Level 3, section 4.2.4).
fn rgb(hue: f64, saturation: f64, lightness: f64) -> [u8; 3] {
    let chroma = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|offset| {
        let k = (offset + hue / 30.0) % 12.0;
        let channel = lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (channel * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_become_channels() {
        assert_eq!(rgb(0.0, 1.0, 0.5), [255, 0, 0]);
        assert_eq!(rgb(120.0, 1.0, 0.5), [0, 255, 0]);
        assert_eq!(rgb(240.0, 1.0, 0.25), [0, 0, 128]);
        assert_eq!(rgb(77.0, 0.0, 1.0), [255, 255, 255]);
    }

    #[test]
    fn the_first_networks_have_colours_of_their_own() {
        let colours: std::collections::BTreeSet<_> = (0..100).map(of_network).collect();
        assert_eq!(colours.len(), 100);
    }
}
