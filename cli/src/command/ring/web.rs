//! `sotto ring host --web`: the same class with a page, for pupils with a phone.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use client::ring::{
    address,
    scale::Scale,
    web::{
        self, Settings,
        example::Example,
        identity::{Identity, IdentityError},
        lesson::Rules,
    },
};
use serde::Serialize;

use super::{Global, grades::Grades, host::Host};
use crate::{failure::Failure, report, signal};

/// What only a host with a page takes.
#[derive(Debug, clap::Args)]
pub struct PageOptions {
    /// Certificate of the page, with what leads to its authority; else one is made that phones
    /// warn of.
    #[arg(long, value_name = "FILE", requires = "web", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Write down everything that the host receives and sends, for the class to look at.
    #[arg(long, value_name = "FILE", requires = "web")]
    traffic: Option<PathBuf>,
    /// How long a pupil may be out of reach before it has left, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = web::GRACE.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=3600),
        requires = "web"
    )]
    grace: u64,
}

/// The links for scripts, on one line.
#[derive(Serialize)]
struct Links<'a> {
    teacher: &'a str,
    pupils: &'a str,
    code: &'a str,
    certificate: String,
}

/// Serves the page until SIGINT or SIGTERM.
pub async fn run(host: Host, global: &Global) -> Result<(), Failure> {
    let stop = signal::stop();
    let name = host.address.clone();
    let name = name.unwrap_or_else(|| address::reachable(host.listen.ip()).to_string());
    let identity = identity(&host.page, &name)?;
    let is_self_signed = identity.is_self_signed();
    let traffic = host.page.traffic.as_ref().map(|path| {
        let named = |error| {
            Failure::Ring(format!("{}: {error}; name a file that can be written", path.display()))
        };
        File::create(path).map_err(named)
    });
    let rules = Rules {
        scale: host.scale.scale()?,
        silence: Duration::from_secs(host.silence),
        grace: Duration::from_secs(host.page.grace),
    };
    let settings = Settings {
        listen: host.listen,
        name,
        identity,
        rules,
        patience: web::PATIENCE,
        example: example()?,
        traffic: traffic.transpose()?.map(|file| Box::new(file) as _),
    };
    let host = web::Host::bind(settings).map_err(failed)?;
    match global.json {
        true => report::print(&line(host.links())?)?,
        false => report::print(&text(&host, is_self_signed))?,
    }
    host.serve(stop).await.map_err(failed)
}

fn identity(options: &PageOptions, name: &str) -> Result<Identity, Failure> {
    let failed = |error: IdentityError| Failure::Ring(error.to_string());
    match (&options.cert, &options.key) {
        (Some(certificate), Some(key)) => Identity::from_files(certificate, key).map_err(failed),
        _ => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            Identity::self_signed(name, since.unwrap_or_default().as_secs()).map_err(failed)
        }
    }
}

/// The class that comes with the program, on the scale that it was graded on.
fn example() -> Result<Example, Failure> {
    let scale = Scale::new("0", "100", 1)?;
    let class = Grades::shipped(&scale)?;
    let values = class.pupils.into_iter().map(|(_, value)| value).collect();
    Ok(Example { scale, values })
}

fn line(links: &web::Links) -> Result<String, Failure> {
    let links = Links {
        teacher: &links.teacher,
        pupils: &links.pupils,
        code: &links.code,
        certificate: links.certificate.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    serde_json::to_string(&links).map_err(|error| Failure::Output(error.into()))
}

fn text(host: &web::Host, is_self_signed: bool) -> String {
    let links = host.links();
    let picture = host.qr().filter(|_| io::stdout().is_terminal());
    let bytes: Vec<_> = links.certificate.iter().map(|byte| format!("{byte:02X}")).collect();
    let mut text = format!(
        "Teacher: open this link yourself; whoever has it runs the class.\n  {}\n\n\
         Pupils: this link or the picture; the class code is {}.\n  {}\n\n",
        *links.teacher, links.code, links.pupils
    );
    for line in picture.iter().flat_map(|picture| picture.lines()) {
        // Black on white, whatever the terminal's colours are.
        text += &format!("  \x1b[38;5;16;48;5;231m{line}\x1b[0m\n");
    }
    text += &format!(
        "The certificate's SHA-256 fingerprint:\n  {}\n  {}\n",
        bytes[..16].join(":"),
        bytes[16..].join(":")
    );
    if is_self_signed {
        text += "Phones and browsers warn that the connection is not private, because this \
                 certificate\nwas made for this class and no authority knows it. Compare the \
                 fingerprint in the\nwarning's details and go on, or give --cert and --key.\n";
    }
    text + "Ctrl-C ends the class.\n"
}

fn failed(error: web::HostError) -> Failure {
    Failure::Ring(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_class_is_twenty_pupils_with_the_average_of_its_data() {
        let example = example().unwrap();
        assert_eq!(example.values.len(), 20);
        let total: i64 = example.values.iter().sum();
        assert_eq!(example.scale.show(total), "1466.2");
    }
}
