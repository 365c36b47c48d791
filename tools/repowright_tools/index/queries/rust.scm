; Definitions
(struct_item name: (type_identifier) @name) @definition.struct
(enum_item name: (type_identifier) @name) @definition.enum
(union_item name: (type_identifier) @name) @definition.struct
(trait_item name: (type_identifier) @name) @definition.interface
(type_item name: (type_identifier) @name) @definition.type
(function_item name: (identifier) @name) @definition.function
(function_signature_item name: (identifier) @name) @definition.function
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.constant
(macro_definition name: (identifier) @name) @definition.macro
(mod_item name: (identifier) @name body: (_)) @definition.module

; Scopes: they give their name to what they hold, and define nothing
(impl_item type: (type_identifier) @name) @scope
(impl_item type: (generic_type type: (type_identifier) @name)) @scope
(impl_item type: (scoped_type_identifier name: (type_identifier) @name)) @scope

; References
(type_identifier) @reference
(call_expression function: (identifier) @reference)
(call_expression function: (field_expression field: (field_identifier) @reference))
(scoped_identifier name: (identifier) @reference)
(scoped_identifier path: (identifier) @reference)
(generic_function function: (identifier) @reference)
(macro_invocation macro: (identifier) @reference)
(arguments (identifier) @reference)
(attribute (identifier) @reference)
(use_list (identifier) @reference)

; Imports
(use_declaration argument: (_) @import)
(mod_item name: (identifier) @import.module !body)
