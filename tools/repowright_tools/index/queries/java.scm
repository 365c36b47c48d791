; Definitions
(class_declaration name: (identifier) @name) @definition.class
(interface_declaration name: (identifier) @name) @definition.interface
(enum_declaration name: (identifier) @name) @definition.enum
(record_declaration name: (identifier) @name) @definition.class
(annotation_type_declaration name: (identifier) @name) @definition.interface
(method_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name) @definition.method
(compact_constructor_declaration name: (identifier) @name) @definition.method
(annotation_type_element_declaration name: (identifier) @name) @definition.method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.variable
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant
(enum_constant name: (identifier) @name) @definition.constant

; References
(type_identifier) @reference
(method_invocation name: (identifier) @reference)
(method_invocation object: (identifier) @reference)
(field_access object: (identifier) @reference)
(field_access field: (identifier) @reference)
(method_reference (identifier) @reference)
(argument_list (identifier) @reference)
(marker_annotation name: (identifier) @reference)
(annotation name: (identifier) @reference)

; Once
(program (import_declaration [(scoped_identifier) (identifier)] @import))
(program (package_declaration [(scoped_identifier) (identifier)] @package))
