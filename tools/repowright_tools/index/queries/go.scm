; Definitions
(function_declaration name: (identifier) @name) @definition.function
(method_declaration
  receiver: (parameter_list
    (parameter_declaration
      type: [
        (type_identifier) @receiver
        (pointer_type (type_identifier) @receiver)
        (generic_type type: (type_identifier) @receiver)
        (pointer_type (generic_type type: (type_identifier) @receiver))
      ]))
  name: (field_identifier) @name) @definition.method
(type_spec name: (type_identifier) @name type: (struct_type)) @definition.struct.top
(type_spec name: (type_identifier) @name type: (interface_type)) @definition.interface.top
(type_spec name: (type_identifier) @name) @definition.type.top
(type_alias name: (type_identifier) @name) @definition.type.top
(method_elem name: (field_identifier) @name) @definition.method
(const_spec name: (identifier) @name) @definition.constant.top
(var_spec name: (identifier) @name) @definition.variable.top

; References
(type_identifier) @reference
(field_identifier) @reference
(call_expression function: (identifier) @reference)
(argument_list (identifier) @reference)

; Imports
(import_spec path: (_) @import)

; Once
(source_file (package_clause (package_identifier) @package))
