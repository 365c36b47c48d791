; Definitions
(class_declaration "interface" name: (identifier) @name (class_body)? @body) @definition.interface
(class_declaration (modifiers (class_modifier "enum")) name: (identifier) @name (enum_class_body)? @body) @definition.enum
(class_declaration name: (identifier) @name (class_body)? @body) @definition.class
(object_declaration name: (identifier) @name (class_body)? @body) @definition.class
(companion_object name: (identifier) @name (class_body)? @body) @definition.class
(function_declaration name: (identifier) @name (function_body)? @body) @definition.function
(property_declaration (variable_declaration (identifier) @name)) @definition.variable.top
(type_alias type: (identifier) @name) @definition.type
(enum_entry (identifier) @name) @definition.constant

; References
(call_expression (identifier) @reference)
(navigation_expression (identifier) @reference)
(user_type (identifier) @reference)
(value_argument (identifier) @reference)
(callable_reference (identifier) @reference)

; Once
(source_file (import . [(qualified_identifier) (identifier)] @import))
(source_file (package_header [(qualified_identifier) (identifier)] @package))
