; Definitions
(class_declaration name: (identifier) @name) @definition.class
(record_declaration name: (identifier) @name) @definition.class
(interface_declaration name: (identifier) @name) @definition.interface
(struct_declaration name: (identifier) @name) @definition.struct
(enum_declaration name: (identifier) @name) @definition.enum
(enum_member_declaration name: (identifier) @name) @definition.constant
(delegate_declaration name: (identifier) @name) @definition.type
(method_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name) @definition.method
(destructor_declaration name: (identifier) @name) @definition.method
(local_function_statement name: (identifier) @name) @definition.function
(property_declaration name: (identifier) @name) @definition.variable
(event_declaration name: (identifier) @name) @definition.variable
(field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.variable
(event_field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.variable

; References
(invocation_expression function: (identifier) @reference)
(member_access_expression expression: (identifier) @reference)
(member_access_expression name: (identifier) @reference)
(member_access_expression name: (generic_name (identifier) @reference))
(member_binding_expression name: (identifier) @reference)
(object_creation_expression type: (identifier) @reference)
(generic_name (identifier) @reference)
(type_argument_list (identifier) @reference)
(base_list (identifier) @reference)
(base_list (qualified_name name: (identifier) @reference))
(attribute name: (identifier) @reference)
(parameter type: (identifier) @reference)
(nullable_type type: (identifier) @reference)
(array_type type: (identifier) @reference)
(variable_declaration type: (identifier) @reference)
(property_declaration type: (identifier) @reference)
(method_declaration returns: (identifier) @reference)
(cast_expression type: (identifier) @reference)
(argument (identifier) @reference)

; Imports
(using_directive [(qualified_name) (identifier)] @import .)

(namespace_declaration name: (_) @package)
(file_scoped_namespace_declaration name: (_) @package)
