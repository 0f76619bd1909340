//! A learned tokenizer that is no better than fixed pooling of equal size is told.

use report::example::{Shape, records};
use report::{Comparison, Options, table};

#[test]
fn a_learned_tokenizer_must_be_below_all_of_its_controls() {
    // Each is better than the one before it.
    for (tokenizers, told) in [
        (["base", "mxdna", "mxdna-pool-macs", "mxdna-pool-parameters"], true),
        (["base", "mxdna-pool-macs", "mxdna", "mxdna-pool-parameters"], true),
        (["base", "mxdna-pool-macs", "mxdna-pool-parameters", "mxdna"], false),
        (["mxdna", "mxdna-max6-pool-macs", "bpe4096", "base"], false),
    ] {
        let controls = tokenizers.iter().filter(|name| name.contains("pool")).map(|name| (*name).to_owned()).collect();
        let shape = Shape { tokenizers: tokenizers.map(String::from).to_vec(), ..Shape::default() };
        let options = Options { controls, ..Options::default() };
        let text = table(&Comparison::new(records(&shape), options).unwrap(), false);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.contains("is not below fixed pooling of its size (mxdna-pool-macs"), told, "{text}");
    }
}
