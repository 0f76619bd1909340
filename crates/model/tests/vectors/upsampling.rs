//! MxDNA's upsampling decoder and head, from stored nucleotide and token states to logits.

use burn::tensor::{Device, Tensor};
use model::frontend::upsampling::UpsamplingDecoder;
use model::head::MlmHead;
use model::layers::{Init, LayerNorm};

use crate::files::{self, File, close, numbers, real};

fn norm(norm: &mut LayerNorm, file: &File, name: &str, device: &Device) {
    files::put(&mut norm.gamma, file.tensor(&format!("{name}.weight"), device));
    files::put(&mut norm.beta, file.tensor(&format!("{name}.bias"), device));
}

#[test]
fn vectors_of_the_upsampling_decoder() {
    for path in files::found("mxdna", "mlm_model_vectors", ".safetensors") {
        let file = File::read(&path);
        let lengths = file.lengths("attention_mask");
        let token_lengths = file.lengths("token_attention_mask");
        // As in the published code, the coordinates of keys are token indices.
        let coordinates: Vec<Vec<usize>> = token_lengths.iter().map(|&length| (0..length).collect()).collect();
        let (decoder, head) = (file.part("param.decoder."), file.part("param.lm_head."));
        for (name, device) in files::devices() {
            let init = Init::new(1, 0.02, &device);
            let shape = decoder.shape("ffn.ffn.w1.weight");
            let (inner, hidden) = (shape[0], shape[1]);
            let matrix = |part: &str| decoder.transposed(part, &device);
            // The file does not contain the number of heads, so all divisors are tried; only the right one reproduces the logits.
            let mut best = (f32::INFINITY, 0);
            // The stored token states are outputs of the model's final LayerNorm.
            let (nucleotides, tokens) =
                (file.tensor::<3>("nucleotide_hidden", &device), file.tensor::<3>("token_hidden", &device));
            for heads in (1..=hidden / 2).filter(|heads| hidden % (2 * heads) == 0) {
                let mut upsampling = UpsamplingDecoder::new(&init, hidden, heads, inner);
                norm(&mut upsampling.norm, &decoder, "input_layernorm.norm", &device);
                norm(&mut upsampling.inner_norm, &decoder, "post_attention_layernorm.norm", &device);
                norm(&mut upsampling.last_norm, &file, "param.norm.norm", &device);
                files::put(&mut upsampling.query.weight, matrix("cross_attn.projection_q.weight"));
                let key_value = ["k", "v"].map(|part| matrix(&format!("cross_attn.projection_{part}.weight")));
                files::put(&mut upsampling.key_value.weight, Tensor::cat(key_value.to_vec(), 1));
                files::put(&mut upsampling.output.weight, matrix("cross_attn.projection_o.weight"));
                let up = ["w1", "w3"].map(|part| matrix(&format!("ffn.ffn.{part}.weight")));
                files::put(&mut upsampling.up.weight, Tensor::cat(up.to_vec(), 1));
                files::put(&mut upsampling.down.weight, matrix("ffn.ffn.w2.weight"));

                let embedding = head.tensor::<2>("decoder.weight", &device);
                let vocabulary = embedding.dims()[0];
                let mut lm_head = MlmHead::new(&init, hidden, vocabulary, 1e-5);
                files::put(&mut lm_head.dense.weight, head.transposed("dense.weight", &device));
                files::put(lm_head.dense.bias.as_mut().unwrap(), head.tensor("dense.bias", &device));
                norm(&mut lm_head.norm, &head, "layer_norm", &device);
                files::put(&mut lm_head.bias, head.tensor("bias", &device));

                let states = upsampling.restore(nucleotides.clone(), tokens.clone(), &coordinates, &lengths);
                let [batch, positions, _] = states.dims();
                let logits = numbers(&lm_head.forward(
                    states.reshape([batch * positions, hidden]),
                    embedding,
                    0..lm_head.bias.dims()[0],
                ));
                let found = real(&logits, &lengths, vocabulary);
                let expected = real(&file.floats("logits"), &lengths, vocabulary);
                let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                best = if off < best.0 { (off, heads) } else { best };
            }
            println!("{name}: logits off by {:e} with {} heads", best.0, best.1);
            close(name, &[best.0], &[0.0], 2e-5);
        }
    }
}
