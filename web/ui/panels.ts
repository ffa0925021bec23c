/** What opens over the chat. Loaded with it, after the first screen. */
import './admission_dialog.ts'
import './handshake_view.ts'
import './identity_panel.ts'
import './notice_dialog.ts'
import './search_panel.ts'
