//! What is wrong with a certificate, in words for people: with its dates, and with what to do.

use rustls::{AlertDescription, CertificateError, Error, pki_types::UnixTime};
use x509_parser::time::ASN1Time;

/// A moment in seconds since 1970, to the minute, as people write it.
pub fn day(unix_s: i64) -> String {
    match ASN1Time::from_timestamp(unix_s) {
        Ok(time) => {
            let time = time.to_datetime();
            format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute())
        }
        Err(_) => format!("{unix_s} s after 1970"),
    }
}

/// Why the other end's certificate is not accepted, or does not accept ours. None: the error is
/// about something else, or a certificate was refused for what an authority has to do with.
pub fn refusal(error: &Error) -> Option<String> {
    let of = |time: &UnixTime| day(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    let renew = "its operator renews it (sotto certs new)";
    let text = match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::ExpiredContext { not_after, time } => {
                let (end, now) = (of(not_after), of(time));
                format!("its certificate expired on {end}, and it is {now} here: {renew}")
            }
            CertificateError::Expired => format!("its certificate has expired: {renew}"),
            CertificateError::NotValidYetContext { not_before, time } => {
                let (start, now) = (of(not_before), of(time));
                format!(
                    "its certificate is valid from {start} on, and it is {now} here: compare the \
                     clocks"
                )
            }
            CertificateError::NotValidYet => {
                "its certificate is not valid yet: compare the clocks".into()
            }
            CertificateError::Revoked => {
                "its certificate is revoked here ([tls] revoked): its operator makes a new key".into()
            }
            CertificateError::ApplicationVerificationFailure => {
                "its certificate is over another key than the roster pins: compare the rosters".into()
            }
            CertificateError::BadEncoding => "its certificate cannot be read".into(),
            _ => return None,
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => {
                "it refuses this server's certificate, which by its clock has expired or is not valid \
                 yet: renew the certificate (sotto certs new), or compare the clocks"
                    .into()
            }
            AlertDescription::CertificateRevoked => {
                "it has revoked this server's certificate: ask its operator".into()
            }
            AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown => {
                "it refuses this server's certificate, which is over another key than its roster pins: \
                 compare the rosters"
                    .into()
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pin::{Facts, Pin};

    #[test]
    fn a_certificate_out_of_its_dates_is_named_with_them() {
        let facts =
            Facts { pin: Pin([0; 32]), fingerprint: [0; 32], not_before: 0, not_after: 86_400 };
        assert!(facts.out_of_date(0).is_none() && facts.out_of_date(86_400).is_none());
        let words =
            |now_s| refusal(&Error::InvalidCertificate(facts.out_of_date(now_s).unwrap())).unwrap();
        let expired = words(100_000);
        assert!(expired.contains("expired on 1970-01-02 00:00 UTC"), "{expired}");
        assert!(expired.contains("1970-01-02 03:46 UTC here"), "{expired}");
        assert!(expired.contains("sotto certs new"), "{expired}");
        let late = Facts { not_before: 3_600, ..facts };
        let early = refusal(&Error::InvalidCertificate(late.out_of_date(60).unwrap())).unwrap();
        assert!(early.contains("valid from 1970-01-01 01:00 UTC"), "{early}");
        assert!(early.contains("clocks"), "{early}");
    }

    #[test]
    fn a_moment_beyond_every_calendar_is_said_all_the_same() {
        assert_eq!(day(i64::MAX), format!("{} s after 1970", i64::MAX));
    }
}
