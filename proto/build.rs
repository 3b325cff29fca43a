//! Compiles the protocol files with protox, so that no protoc has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Only what servers serve is shown by their reflection.
    let servers = protox::compile(["proto/sotto/v1/sotto.proto"], ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&servers))?;
    let all = ["proto/sotto/v1/sotto.proto", "proto/sotto/v1/ring.proto"];
    let descriptors = protox::compile(all, ["proto"])?;
    std::fs::write(out.join("all.bin"), prost::Message::encode_to_vec(&descriptors))?;
    // Messages that hold shares, keys or masked numbers are printed by `redacted`.
    let secret = [
        "SubmitRequest",
        "Frame",
        "RingJoin",
        "MaskedNumber",
        "RingMessage",
        "RingGarbage",
        "RingView",
    ];
    let secret = secret.map(|message| format!(".sotto.v1.{message}"));
    tonic_prost_build::configure()
        .bytes(".")
        .skip_debug(secret)
        .codec_path("crate::codec::BoundedCodec")
        .compile_fds(descriptors)?;
    Ok(())
}
