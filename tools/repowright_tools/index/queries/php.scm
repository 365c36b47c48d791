; Definitions
(class_declaration name: (name) @name) @definition.class
(interface_declaration name: (name) @name) @definition.interface
(trait_declaration name: (name) @name) @definition.class
(enum_declaration name: (name) @name) @definition.enum
(enum_case name: (name) @name) @definition.constant
(function_definition name: (name) @name) @definition.function
(method_declaration name: (name) @name) @definition.method
(const_declaration (const_element (name) @name)) @definition.constant

; References
(function_call_expression function: (name) @reference)
(function_call_expression function: (qualified_name (name) @reference .))
(member_call_expression name: (name) @reference)
(nullsafe_member_call_expression name: (name) @reference)
(member_access_expression name: (name) @reference)
(scoped_call_expression scope: (name) @reference)
(scoped_call_expression name: (name) @reference)
(class_constant_access_expression (name) @reference)
(object_creation_expression (name) @reference)
(object_creation_expression (qualified_name (name) @reference .))
(named_type (name) @reference)
(named_type (qualified_name (name) @reference .))
(base_clause (name) @reference)
(base_clause (qualified_name (name) @reference .))
(class_interface_clause (name) @reference)
(class_interface_clause (qualified_name (name) @reference .))
(use_declaration (name) @reference)
(attribute (name) @reference)
(argument (name) @reference)
(namespace_use_clause (qualified_name (name) @reference .))

; Imports
(namespace_use_declaration (namespace_use_clause . [(qualified_name) (name)] @import) !body)
(namespace_use_declaration
  (namespace_name) @import.from @import.backslash
  body: (namespace_use_group (namespace_use_clause . [(name) (qualified_name)] @import.name)))
(include_expression (string (string_content) @import))
(include_once_expression (string (string_content) @import))
(require_expression (string (string_content) @import))
(require_once_expression (string (string_content) @import))
(include_expression (binary_expression right: (string (string_content) @import)))
(include_once_expression (binary_expression right: (string (string_content) @import)))
(require_expression (binary_expression right: (string (string_content) @import)))
(require_once_expression (binary_expression right: (string (string_content) @import)))

(namespace_definition name: (namespace_name) @package)
