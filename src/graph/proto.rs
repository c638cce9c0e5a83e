//! proto: ONNX's protobuf messages under the names by which they are known here.
//!
//! All that the standard names is kept when a message is written again; what it does not name is dropped.

pub use super::onnx::attribute_proto::AttributeType;
pub use super::onnx::tensor_shape_proto::{Dimension, dimension::Value as DimensionValue};
pub use super::onnx::type_proto::{
    Optional as OptionalType, Sequence as SequenceType, Tensor as TensorType, Value as TypeValue,
};
pub use super::onnx::*;

#[cfg(test)]
mod tests {
    use super::NodeProto;
    use prost::Message;

    #[test]
    fn what_the_standard_names_is_written_again_and_what_it_does_not_name_is_dropped() {
        // A node's field 6 is its doc_string; it has no field 50. Each holds one byte of text.
        let (named, unknown) = ([6 << 3 | 2, 1, b'd'], [0x92, 0x03, 1, b'u']);
        let node = NodeProto::decode(&[&named[..], &unknown].concat()[..]).unwrap();
        assert_eq!(node.encode_to_vec(), named);
    }
}
